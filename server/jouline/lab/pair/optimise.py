"""Muon for the matrices, AdamW for embedding and norms, and the schedule of their learning rates.

Muon (Jordan 2024, kellerjordan.github.io/posts/muon): momentum whose matrix is replaced by the nearest orthogonal one,
by five Newton-Schulz steps. Matrices of one shape go together; of several processes each does its share.
"""

# mypy: allow-subclassing-any, allow-untyped-decorators

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Learning rates at full speed, and the steps over which they and Muon's momentum rise at the start."""

    matrices: float = 0.02
    vectors: float = 0.003
    decay: float = 0.01
    warm_up_steps: int = 60
    momentum_steps: int = 300


def orthogonalised(matrices: Tensor, steps: int = 5) -> Tensor:
    """Return roughly the nearest semi-orthogonal matrices of a stack (n, rows, columns), worked out in bfloat16."""
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16()
    tall = x.size(-2) > x.size(-1)
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum orthogonalised by Newton-Schulz; state and result are the same in every process."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], *, rate: float, decay: float, momentum: float = 0.95
    ) -> None:
        super().__init__(parameters, {"lr": rate, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self) -> None:
        """Move every matrix once by its gradient."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                shapes.setdefault(parameter.shape, []).append(parameter)
            stacks = [torch.stack([self._momentum(p, group["momentum"]) for p in same]) for same in shapes.values()]
            for same, update in zip(shapes.values(), _shared(stacks), strict=True):
                scale = group["lr"] * max(1.0, same[0].shape[0] / same[0].shape[1]) ** 0.5
                for parameter, direction in zip(same, update, strict=True):
                    parameter.mul_(1 - group["lr"] * group["decay"])
                    parameter.add_(direction.to(parameter.dtype), alpha=-scale)

    def _momentum(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        """Nesterov momentum of a parameter's gradient."""
        state: dict[str, Any] = self.state[parameter]
        if "average" not in state:
            state["average"] = torch.zeros_like(parameter)
        gradient = parameter.grad
        assert gradient is not None  # noqa: S101
        state["average"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["average"], momentum)


def _shared(stacks: list[Tensor]) -> list[Tensor]:
    """Orthogonalise every stack, each process its part of every one that divides evenly; all get all."""
    world = dist.get_world_size() if dist.is_initialized() else 1
    if world == 1 or any(len(stack) % world for stack in stacks):
        return [orthogonalised(stack) for stack in stacks]
    own = [orthogonalised(stack.chunk(world)[dist.get_rank()]).contiguous() for stack in stacks]
    sent = torch.cat([part.view(-1) for part in own]).view(torch.int32)  # gloo knows no bfloat16
    received = [torch.empty_like(sent) for _ in range(world)]
    dist.all_gather(received, sent)
    parts = [r.view(torch.bfloat16).split([part.numel() for part in own]) for r in received]
    return [torch.cat([parts[r][i].view_as(own[i]) for r in range(world)]) for i in range(len(own))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisers:
    """Both optimisers of a network, stepped as one."""

    rates: Rates
    muon: Muon
    adam: torch.optim.AdamW

    def step(self, *, number: int, factor: float) -> None:
        """Step number `number` (from 0) with the full rates times `factor`, then forget the gradients."""
        factor *= min(1.0, (number + 1) / self.rates.warm_up_steps)
        for group in self.muon.param_groups:
            group["lr"] = self.rates.matrices * factor
            group["momentum"] = 0.85 + 0.10 * min(1.0, number / self.rates.momentum_steps)
        for group in self.adam.param_groups:
            group["lr"] = self.rates.vectors * factor
            nn.utils.clip_grad_norm_(group["params"], 1.0)
        for optimiser in (self.muon, self.adam):
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)


def optimisers(network: nn.Module, rates: Rates) -> Optimisers:
    """Muon for every matrix but the embedding, AdamW for the rest."""
    named = list(network.named_parameters())
    matrices = [p for name, p in named if p.dim() == 2 and "embedding" not in name]
    rest = [p for name, p in named if p.dim() != 2 or "embedding" in name]
    adam = torch.optim.AdamW(rest, lr=rates.vectors, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0, fused=True)
    return Optimisers(rates=rates, muon=Muon(matrices, rate=rates.matrices, decay=rates.decay), adam=adam)
