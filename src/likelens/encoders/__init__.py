"""Encoders: what turns images into vectors. One file a source, one line in ``base``."""
