"""What the pipeline may spend on one request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """Limits of context and output; characters are code points."""

    max_document_chars: int = 2_000_000
    window_step_chars: int = 1_000
    max_line_tokens: int = 48
    max_block_tokens: int = 160
    max_block_ms: float = 3_000.0  # looked at only where a line ends
    cache_entries: int = 256
    anchored: bool = False  # prompts go on from the document's last one; else each depends on its request alone
