"""Text that looks like a secret is never offered: a model may have learned one by heart (pure).

The shapes are those that the issuers document and secret scanners look for (gitleaks, detect-secrets): a fixed prefix
with a long random rest, the head of a private key, or a long random text given to a name such as `password`.
"""

import math
import re
from collections import Counter

from jouline.completion import CompletionRequest
from jouline.pipeline.offer import Discard, Offer

_SHAPES = re.compile(
    r"""
      \b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b                   # AWS access key id
    | \bgh[pousr]_[0-9A-Za-z]{36,}                              # GitHub
    | \bgithub_pat_[0-9A-Za-z_]{60,}
    | \bglpat-[0-9A-Za-z_-]{20,}                                # GitLab
    | \bxox[abeoprs]-[0-9A-Za-z-]{10,}                          # Slack
    | \b[rs]k_live_[0-9A-Za-z]{16,}                             # Stripe
    | \bsk-(?:ant-|proj-)?[0-9A-Za-z_-]{20,}                    # OpenAI, Anthropic
    | \bAIza[0-9A-Za-z_-]{35}                                   # Google
    | \bnpm_[0-9A-Za-z]{36}\b
    | \bpypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{20,}
    | \bhf_[0-9A-Za-z]{30,}                                     # Hugging Face
    | \beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}            # JSON web token
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----
    | \b[a-z][a-z0-9+.-]*://[^\s:/@"'{}<$]+:[^\s:/@"'{}<$]{6,}@ # a password within an address
    """,
    re.VERBOSE,
)
_NAMED = re.compile(
    r"""(?ix) (?:passw(?:or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|credential)\w*
        ["']?\s*(?::=|=>|[=:,(])\s*["']([^"'\s]{12,})["']? """
)
_LEAST_BITS_PER_CHAR = 3.2


def drop_secret(request: CompletionRequest, offer: Offer) -> Offer | Discard:
    """Decline a text that completes the line to something that looks like a secret."""
    start = len(request.line_prefix)
    line = request.line_prefix + offer.text
    found = [each for each in _SHAPES.finditer(line) if each.end() > start]
    named = [each for each in _NAMED.finditer(line) if each.end() > start and _is_random(each[1])]
    return Discard(reason="It looks like a secret.") if found or named else offer


def _is_random(value: str) -> bool:
    """Whether a text looks drawn by lot: letters and digits mixed, and nearly every character another one."""
    if not (re.search(r"\d", value) and re.search(r"[A-Za-z]", value)):
        return False
    counts = Counter(value).values()
    bits = -sum(count / len(value) * math.log2(count / len(value)) for count in counts)
    return bits >= _LEAST_BITS_PER_CHAR
