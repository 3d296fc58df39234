"""The user's cache of vectors, which all measurements without a store of their own share."""

from __future__ import annotations

import warnings
from pathlib import Path

from ..values.embeddings import EncoderCard
from ..values.errors import LikelensWarning, StoreBroken
from ..values.files import cache_folder
from .base import Store, open_store
from .lance import LanceStore


class VectorCache(LanceStore):
    """Vectors by the fingerprint of what made them: two encoders of one name never clash.

    It serves no items, and what an encoder has learnt is kept with the images it learnt from.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root, create=True)

    def key(self, card: EncoderCard) -> str:
        """Under which name an encoder's vectors are kept."""
        return card.fingerprint

    def find(self, card: EncoderCard) -> str | None:
        """The name under which an encoder's vectors are kept, or None."""
        self._check_card(card.fingerprint)
        return card.fingerprint if self._has(self._folder(card.fingerprint), "card.json") else None


def with_cache(place: Path | None) -> Store:
    """A store whose vectors are shared with the user's cache; None for one in memory."""
    store = open_store(place)
    try:
        store.cache = VectorCache(cache_folder() / "vectors")
    except StoreBroken as error:
        warnings.warn(f"the cache of vectors is not used: {error}", LikelensWarning, stacklevel=2)
    return store
