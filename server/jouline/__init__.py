"""Jouline: code completion on your own machine that spends energy only where it buys accuracy."""

__version__ = "0.1.0"
