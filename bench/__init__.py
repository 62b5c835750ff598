"""Benchmarks of tapegrad beside its peers; ``python -m bench`` at the repository root."""
