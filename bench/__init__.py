"""Benchmarks: each a ratio to what one would do otherwise, both in one run."""
