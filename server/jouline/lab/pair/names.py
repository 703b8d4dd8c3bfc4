"""What the files of a run are called."""

from pathlib import Path

PARTS = ("front", "back")
PRECISIONS = ("f16", "q8_0", "q4_0")


def file_name(part: str, kind: str) -> str:
    """Return the name of a part (`front`, `back`) at a precision (`f16`, `q8_0`, …)."""
    return f"jouline-embedded-{part}-{kind}.gguf"


def files(run: Path, kind: str) -> tuple[Path, Path]:
    """Return front and back of a run at a precision."""
    front, back = (run / file_name(part, kind) for part in PARTS)
    return front, back
