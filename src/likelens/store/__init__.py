"""Stores: where vectors are kept. One file a kind, one line in ``base``."""
