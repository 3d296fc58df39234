"""Readers of data sets in the layout that they are published in: one file, one line in base."""
