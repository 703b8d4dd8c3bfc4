"""Bits per byte of both exits of a network on text it never saw."""

# mypy: allow-untyped-decorators

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional as F  # noqa: N812

from jouline.completion import Tier
from jouline.lab.pair.corpus import Document
from jouline.lab.pair.estimates import Estimate, interval
from jouline.lab.pair.network import Pair
from jouline.lab.pair.tokenizer import markers

TIERS: tuple[Tier, Tier] = ("small", "large")
WINDOW = 640


@torch.no_grad()
def bits_per_byte(pair: Pair, vocabulary: Tokenizer, documents: Sequence[Document]) -> dict[Tier, Estimate]:
    """Bits per byte of UTF-8 of both exits, float32, windows of 640 tokens that begin with an end-of-text."""
    bits: dict[Tier, dict[str, float]] = {tier: defaultdict(float) for tier in TIERS}
    size: dict[str, float] = defaultdict(float)
    end = markers(vocabulary).end
    for document in documents:
        ids = vocabulary.encode(document.text, add_special_tokens=False).ids
        size[document.package] += len(document.text.encode())
        for start in range(0, len(ids), WINDOW):
            window = ids[start : start + WINDOW]
            states = pair(torch.tensor([[end, *window[:-1]]]))
            for tier, state in zip(TIERS, states, strict=True):
                loss = F.cross_entropy(state[0] @ pair.embedding.weight.T, torch.tensor(window), reduction="sum")
                bits[tier][document.package] += loss.item() / np.log(2)
    return {tier: interval(bits[tier], size) for tier in TIERS}
