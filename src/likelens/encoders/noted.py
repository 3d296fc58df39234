"""What libraries warn of while an encoder is opened, kept as notes of the encoder."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_ABOUT_CODE = (DeprecationWarning, FutureWarning, ImportWarning, ResourceWarning)
"""Warnings that are for programmers, and say nothing about vectors."""


@contextmanager
def noted() -> Iterator[list[str]]:
    """Within it, warnings and logged warnings are collected; the list is filled at its end.

    Warnings are given again afterwards. What is logged is not printed.
    """
    notes: list[str] = []
    records = _Records()
    logging.root.addHandler(records)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield notes
    finally:
        logging.root.removeHandler(records)
    texts = [str(one.message) for one in caught if not issubclass(one.category, _ABOUT_CODE)]
    notes += dict.fromkeys(" ".join(text.split()) for text in (*texts, *records.texts))
    for one in caught:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
