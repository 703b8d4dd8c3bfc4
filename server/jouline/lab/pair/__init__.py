"""The embedded pair: from pinned packages to two GGUF files that share one network."""
