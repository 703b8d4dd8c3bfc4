"""A completion as JSON: the fields that other programs rely on."""

from dataclasses import asdict
from typing import Any

from jouline.completion import Completion


def completion_fields(completion: Completion) -> dict[str, Any]:
    """Return the completion as a JSON-ready dict; what is unknown is None."""
    return {
        "completion": completion.text,
        "action": completion.action,
        "reason": completion.reason,
        "model": completion.model,
        "model_id": completion.model_id,
        "models_run": list(completion.models_run),
        "p_small_ok": _rounded(completion.p_small_ok, 4),
        "p_gain": _rounded(completion.p_gain, 4),
        "confidence": _rounded(completion.confidence, 4),
        "timings_ms": {key.removesuffix("_ms"): round(value, 3) for key, value in asdict(completion.timings).items()},
        "tokens": asdict(completion.tokens),
        "energy": asdict(completion.energy),
        "cpu_seconds": _rounded(completion.cpu_seconds, 6),
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
