"""Weights as q4_0 keeps them, for training that knows what will become of them.

A gradient that was found at the rounded weights moves the exact ones (the straight-through estimator: Bengio, Léonard
and Courville 2013, arXiv 1308.3432), so that a network learns to do well where it will be rounded to.
"""

# mypy: allow-untyped-decorators

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

BLOCK = 32  # weights that share a scale


@torch.no_grad()
def rounded(weights: Tensor) -> Tensor:
    """Return float32 weights, whose last dimension is a multiple of 32, as ggml's q4_0 gives them back.

    Of each block the weight furthest from zero becomes -8 scales, the others the nearest of -8 … 7 (ggml-quants.c,
    `quantize_row_q4_0_ref`); the scale is kept in half precision.
    """
    blocks = weights.reshape(-1, BLOCK)
    furthest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    scale = furthest / -8
    inverse = torch.where(scale == 0, 0.0, 1 / scale)
    steps = (blocks * inverse + 8.5).trunc().clamp(0, 15) - 8
    return (steps * scale.half().float()).reshape(weights.shape)


@contextlib.contextmanager
def on_lattice(network: nn.Module) -> Iterator[None]:
    """Have the matrices of all layers rounded for as long as this lasts; the head stays, as llama.cpp keeps it."""
    matrices = [layer.weight for layer in network.modules() if isinstance(layer, nn.Linear)]
    exact = [matrix.detach().clone() for matrix in matrices]
    with torch.no_grad():
        for matrix in matrices:
            matrix.copy_(rounded(matrix))
    try:
        yield
    finally:
        with torch.no_grad():
            for matrix, kept in zip(matrices, exact, strict=True):
                matrix.copy_(kept)
