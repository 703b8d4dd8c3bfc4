"""One network with an early exit: a front that is a language model by itself, and a back that reads its states.

Llama's layers (RMSNorm, rotary positions, SwiGLU; no biases). The front ends in a norm of its own, and what comes out
of that norm is both what its head reads and what the back begins with: llama.cpp hands out exactly this state as the
embedding of a token, and takes it in place of one. Both heads are the transposed token embedding.
"""

# mypy: allow-subclassing-any, allow-untyped-decorators

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

BLOCKS = 4  # of queries, in attention on a CPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of the network; `front` and `back` count layers."""

    vocabulary: int = 4096
    width: int = 256
    hidden: int = 704
    front: int = 3
    back: int = 6
    head: int = 64
    context: int = 1024
    rope_base: float = 10_000.0
    epsilon: float = 1e-5

    @property
    def heads(self) -> int:
        """Attention heads of a layer."""
        return self.width // self.head


class RMSNorm(nn.Module):
    """Root mean square norm (Zhang and Sennrich 2019), computed in float32."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension."""
        f = x.float()
        return (f * torch.rsqrt(f.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.weight).to(x.dtype)


class Layer(nn.Module):
    """Attention and feed-forward, each with a norm before it and a residual around it."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, hidden = shape.width, shape.hidden
        self.heads, self.head = shape.heads, shape.head
        self.attention_norm = RMSNorm(width, shape.epsilon)
        self.feed_norm = RMSNorm(width, shape.epsilon)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """(batch, tokens, width) to the same; causal."""
        batch, tokens, width = x.shape
        y = self.attention_norm(x)
        q, k, v = (f(y).view(batch, tokens, self.heads, self.head) for f in (self.q, self.k, self.v))
        q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
        mixed = causal_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        x = x + self.o(mixed.transpose(1, 2).reshape(batch, tokens, width))
        y = self.feed_norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of every token to itself and those before it; all (batch, heads, tokens, size).

    On a CPU block by block of queries against the keys up to the block's end: PyTorch's fused kernel works on what a
    causal mask hides too, and took twice the time there (compiled, bfloat16, 640 tokens).
    """
    count = q.shape[2]
    if q.device.type != "cpu" or count % BLOCKS:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    size = count // BLOCKS
    return torch.cat([_block(q[:, :, a : a + size], k, v, a + size) for a in range(0, count, size)], 2)


def _block(q: Tensor, k: Tensor, v: Tensor, end: int) -> Tensor:
    """Attention of the queries of the last tokens before `end`."""
    scores = q @ k[:, :, :end].transpose(-1, -2) * q.shape[-1] ** -0.5
    hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(end - q.shape[2] + 1)
    return torch.softmax(scores.masked_fill(hidden, -torch.inf), -1, dtype=_wide(v.dtype)).to(v.dtype) @ v[:, :, :end]


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary positions on (batch, tokens, heads, size), first half against second half (RoFormer, Su et al. 2021)."""
    a, b = x.chunk(2, -1)
    c, s = cosine[None, :, None].to(x.dtype), sine[None, :, None].to(x.dtype)
    return torch.cat([a * c - b * s, b * c + a * s], -1)


class Pair(nn.Module):
    """The two exits of one network."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.front = nn.ModuleList(Layer(shape) for _ in range(shape.front))
        self.front_norm = RMSNorm(shape.width, shape.epsilon)
        self.back = nn.ModuleList(Layer(shape) for _ in range(shape.back))
        self.back_norm = RMSNorm(shape.width, shape.epsilon)
        angle = torch.arange(shape.context).float()[:, None] / shape.rope_base ** (
            torch.arange(0, shape.head, 2).float() / shape.head
        )
        self.register_buffer("cosine", angle.cos(), persistent=False)
        self.register_buffer("sine", angle.sin(), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Every layer begins as the identity: what writes to the residual stream is zero."""
        nn.init.normal_(self.embedding.weight, std=0.03)
        for layer in (*self.front, *self.back):
            for linear in (layer.q, layer.k, layer.v, layer.gate, layer.up):
                nn.init.normal_(linear.weight, std=0.6 * linear.in_features**-0.5)
            nn.init.zeros_(layer.o.weight)
            nn.init.zeros_(layer.down.weight)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, tokens) ids to the states that the two heads read, each (batch, tokens, width)."""
        count = tokens.shape[1]
        cosine, sine = self.cosine[:count], self.sine[:count]
        x = self.embedding(tokens)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        for layer in self.front:
            x = layer(x, cosine, sine)
        front = x = self.front_norm(x)
        for layer in self.back:
            x = layer(x, cosine, sine)
        return front, self.back_norm(x)


def deepened(pair: Pair, back: int) -> Pair:
    """Return the same function with `back` layers in the back: those added begin as the identity."""
    grown = Pair(replace(pair.shape, back=back))
    missing = grown.load_state_dict(pair.state_dict(), strict=False).missing_keys
    if back < pair.shape.back or any(not name.startswith("back.") for name in missing):
        raise ValueError(f"a pair of {pair.shape.back} layers in the back cannot be cut to {back}")
    return grown
