"""Cross-entropy at both exits without ever storing all logits, the front taught by the whole network as well.

Logits of (tokens, vocabulary) would not fit a cache, so heads, losses and their gradients are worked out chunk by
chunk in the forward pass. The front's target is a mixture of the true token and the whole network's distribution, held
constant: self-distillation (BYOT, Zhang et al. 2019), nearly free here because both distributions are at hand.
"""

# mypy: allow-subclassing-any, allow-untyped-decorators

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

Chunk = Callable[..., tuple[Tensor, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """How the two exits count.

    `front` is the weight of the front's loss against the whole network's 1; `teach` is the share of the whole network's
    distribution in the front's target.
    """

    front: float = 0.5
    teach: float = 0.5


def whole_chunk(logits: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(gradient of the logits, cross-entropy per token in nats, probabilities), weights being per token."""
    f = logits.float()
    norm = torch.logsumexp(f, -1, keepdim=True)
    losses = (norm - f.gather(1, targets[:, None]))[:, 0]
    p = torch.exp(f - norm)
    true = (torch.arange(f.shape[1], device=f.device)[None, :] == targets[:, None]).float()
    return ((p - true) * weights[:, None]).to(logits.dtype), losses, p.to(logits.dtype)


def taught_chunk(
    logits: Tensor, targets: Tensor, weights: Tensor, teacher: Tensor, share: Tensor
) -> tuple[Tensor, Tensor]:
    """(gradient of the logits, cross-entropy per token, nats); `share` of the target is the teacher's distribution."""
    f = logits.float()
    norm = torch.logsumexp(f, -1, keepdim=True)
    losses = (norm - f.gather(1, targets[:, None]))[:, 0]
    true = (torch.arange(f.shape[1], device=f.device)[None, :] == targets[:, None]).float()
    wanted = (1 - share) * true + share * teacher.float()
    return ((torch.exp(f - norm) - wanted) * weights[:, None]).to(logits.dtype), losses


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the work is cut: chunks of `chunk` tokens, the front's loss on every `stride`-th from number `phase` on."""

    chunk: int
    stride: int = 1
    phase: int = 0
    whole: Chunk = whole_chunk
    taught: Chunk = taught_chunk


class ExitLoss(torch.autograd.Function):
    """Sum of both weighted mean losses, and the losses per token of front (NaN where left out) and whole."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd takes positional arguments only
        ctx: FunctionCtx,
        front: Tensor,
        whole: Tensor,
        embedding: Tensor,
        targets: Tensor,
        token_weights: Tensor,
        weights: Weights,
        plan: Plan,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """States of (tokens, width), the embedding of (vocabulary, width), targets and weights of (tokens,)."""
        head = embedding.to(whole.dtype)
        d_front, d_whole = torch.zeros_like(front), torch.empty_like(whole)
        d_head = torch.zeros_like(embedding, dtype=torch.float32)
        front_losses = torch.full(targets.shape, torch.nan, device=targets.device)
        whole_losses = torch.empty(targets.shape, device=targets.device)
        w = token_weights / token_weights.sum()
        chosen = _chosen(len(targets), plan)
        teach = torch.tensor(weights.teach, device=targets.device)
        front_w = token_weights * (weights.front / sum(token_weights[c].sum() for c in chosen))
        for c in _chunks(len(targets), plan.chunk):
            gradient, whole_losses[c], p = plan.whole(whole[c] @ head.T, targets[c], w[c])
            d_whole[c] = gradient @ head
            d_head += (gradient.T @ whole[c]).float()
            if c in chosen:
                gradient, front_losses[c] = plan.taught(front[c] @ head.T, targets[c], front_w[c], p, teach)
                d_front[c] = gradient @ head
                d_head += (gradient.T @ front[c]).float()
        ctx.save_for_backward(d_front, d_whole, d_head)
        ctx.mark_non_differentiable(front_losses, whole_losses)
        return (whole_losses * w).sum() + (front_losses.nan_to_num() * front_w).sum(), front_losses, whole_losses

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of both states and the embedding."""
        d_front, d_whole, d_head = ctx.saved_tensors
        return d_front * gradient, d_whole * gradient, d_head * gradient, None, None, None, None


def _chunks(count: int, size: int) -> list[slice]:
    return [slice(i, min(i + size, count)) for i in range(0, count, size)]


def _chosen(count: int, plan: Plan) -> list[slice]:
    return _chunks(count, plan.chunk)[plan.phase % plan.stride :: plan.stride]
