"""Indexes: how the nearest vectors are found. One file a kind, one line in ``base``."""
