"""Checkpoints: all that a run needs to go on as if it had never stopped."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from jouline.lab.pair.network import Pair, Shape
from jouline.lab.pair.optimise import Optimisers


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a run has come: optimiser steps, rows and tokens seen, those on rounded weights, seconds spent."""

    step: int = 0
    rows: int = 0
    tokens: int = 0
    lattice_tokens: int = 0
    seconds: float = 0.0


def save(path: Path, network: Pair, optimisers: Optimisers, progress: Progress) -> None:
    """Write a checkpoint; a half-written one is never seen under the name."""
    part = path.with_suffix(".part")
    state = {
        "shape": asdict(network.shape),
        "network": network.state_dict(),
        "muon": optimisers.muon.state_dict(),
        "adam": optimisers.adam.state_dict(),
        "progress": asdict(progress),
    }
    torch.save(state, part)
    part.replace(path)


def resume(path: Path, network: Pair, optimisers: Optimisers) -> Progress:
    """Put a checkpoint into a network and its optimisers; returns how far it had come."""
    state = _load(path)
    network.load_state_dict(state["network"])
    optimisers.muon.load_state_dict(state["muon"])
    optimisers.adam.load_state_dict(state["adam"])
    return Progress(**state["progress"])


def network(path: Path) -> tuple[Pair, Progress]:
    """Return the network of a checkpoint, on the CPU, and how far it had come."""
    state = _load(path)
    pair = Pair(Shape(**state["shape"]))
    pair.load_state_dict(state["network"])
    return pair.eval(), Progress(**state["progress"])


def _load(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state
