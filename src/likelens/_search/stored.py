"""Indexes that are saved in a store: build one, and what is known of those that are there."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from .._indexes import Held, folder_name, keep_index, list_indexes, read_kind
from ..encoders.base import Encoder, VectorSource
from ..index.base import build_index
from ..store.base import Store, open_store
from ..values.embeddings import Embeddings
from ..values.errors import BadQuery, IndexBroken, LikelensError
from ..values.spec import Spec
from .hubs import Hubs, find_hubs
from .searcher import Searcher

Saved = Sequence[Held | IndexBroken]

HUBS_UP_TO = 50_000
"""Of more items, hubs are looked for only when asked: every item is compared with every other."""


def save_index(
    store: Store | str | os.PathLike[str],
    encoder: Encoder | VectorSource | Spec | str | None = None,
    kind: str = "hnsw",
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Save an index of a store's vectors in the store, or bring the one that is there up to date.

    Args:
        store: the store or its folder.
        encoder: whose vectors; None if the store has only one encoder.
        kind: kind and options, such as ``hnsw(m=16)``.
        overwrite: build it anew, even if one is there.

    Returns:
        What ``likelens index build --json`` prints: among others ``index``, ``vectors``,
        ``built``, ``changes``, ``seconds`` and ``file``.

    Raises:
        BadSpec: there is no such kind or option.
        BadTable: the store has no vectors by that encoder, or no folder.
        StoreBroken: there is no such store, or another run is writing to it.
    """
    read_kind(kind)
    searcher = Searcher(store, encoder)
    started = time.perf_counter()
    placed, path = keep_index(searcher.store, searcher.embeddings, kind, overwrite=overwrite)
    return {
        "encoder": searcher.embeddings.encoder.name,
        "fingerprint": searcher.embeddings.fingerprint,
        **placed.index.info(),
        "needs": placed.index.NEEDS,
        "items": len(searcher.catalogue),
        "lacking": searcher.lacking,
        "built": not placed.saved,
        "changes": vars(placed.changes),
        "seconds": time.perf_counter() - started,
        "file": str(path),
        "file_bytes": path.stat().st_size,
    }


def index_info(
    store: Store | str | os.PathLike[str],
    encoder: str | None = None,
    *,
    k: int = 10,
    hubs: bool | None = None,
) -> dict[str, Any]:
    """The vectors of a store, the indexes saved in it, hubs and orphans.

    Args:
        store: the store or its folder.
        encoder: only this one; None for all.
        k: length of the lists that hubs are counted in.
        hubs: whether to look for hubs; None to do so up to 50,000 items.

    Returns:
        What ``likelens index info --json`` prints: ``encoders`` with their indexes and hubs,
        ``failed`` with the reason, and ``damaged`` files.

    Raises:
        BadQuery: k below 1.
        StoreBroken: there is no such store.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise BadQuery(f"k = {k} is not at least 1", where="-k", hint="give -k 1 or more")
    opened = open_store(store, create=False)
    items = opened.catalogue().ids
    kept = list_indexes(opened)
    if encoder is None:
        described, failed = _describe_all(opened, items, kept, k, hubs)
    else:
        described, failed = [_describe(opened, items, encoder, kept, k, hubs)], []
    broken = [{"file": one.where, "problem": one.what} for one in kept if not isinstance(one, Held)]
    return {"store": opened.place, "encoders": described, "failed": failed, "damaged": broken}


def _describe_all(
    store: Store,
    items: Sequence[str],
    kept: Saved,
    k: int,
    hubs: bool | None,
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Every encoder of a store, and those whose vectors cannot be had, with the reason."""
    names = [card.name for card in store.cards()]
    names += [
        one.encoder
        for one in kept
        if isinstance(one, Held) and one.path.parent.name == folder_name(one.encoder)
    ]
    described, failed = [], []
    for name in dict.fromkeys(names):
        try:
            described.append(_describe(store, items, name, kept, k, hubs))
        except LikelensError as error:
            failed.append({"encoder": name, "problem": error.what})
    return described, failed


def _describe(
    store: Store,
    items: Sequence[str],
    encoder: str,
    kept: Saved,
    k: int,
    hubs: bool | None,
) -> dict[str, Any]:
    """An encoder's vectors, their indexes and hubs."""
    embeddings = _vectors(store, encoder, items)
    own = folder_name(embeddings.encoder.name)
    wanted = len(embeddings) <= HUBS_UP_TO if hubs is None else hubs
    indexes = []
    for one in kept:
        if isinstance(one, Held) and one.path.parent.name == own:
            other = one.fingerprint != embeddings.fingerprint
            behind = None if other else one.changes(embeddings)
            indexes.append(
                {
                    "index": one.spec,
                    "vectors": sum(item is not None for item in one.ids),
                    "fingerprint": one.fingerprint,
                    "state": "of another encoder"
                    if other
                    else "behind"
                    if behind
                    else "up to date",
                    "behind": None if behind is None else vars(behind),
                    "file": str(one.path),
                    "file_bytes": one.path.stat().st_size,
                }
            )
    return {
        "encoder": embeddings.encoder.name,
        "fingerprint": embeddings.fingerprint,
        "vectors": len(embeddings),
        "items": len(items),
        "lacking": embeddings.lacking(items),
        "dim": embeddings.encoder.dim,
        "indexes": indexes,
        "hubs": _hubs(find_hubs(build_index(embeddings.vectors), embeddings.ids, k))
        if wanted
        else None,
    }


def _vectors(store: Store, encoder: str, items: Sequence[str]) -> Embeddings:
    """Those stored need no encoder, whose files may be gone; others (fusions) are made by one."""
    if any(card.name == encoder for card in store.cards()):
        return store.embeddings(encoder, items)
    return Searcher(store, encoder).embeddings


def _hubs(found: Hubs) -> dict[str, Any]:
    return {
        "k": found.k,
        "skewness": found.skewness,
        "largest": [{"id": item, "found": count} for item, count in found.largest],
        "orphans": list(found.orphans),
        "orphan_share": found.orphan_share,
    }
