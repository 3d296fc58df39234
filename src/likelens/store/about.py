"""What a store holds, and where the images of its items are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .base import OWN, RELATIVE, Store
from .image_paths import found_in


def describe(store: Store) -> dict[str, Any]:
    """See ``Store.info``."""
    items = store.items()
    paths = store.image_paths(items)
    ids = items["id"].to_pylist()
    gone = [item for item, path in zip(ids, paths, strict=True) if not path.is_file()]
    encoders = []
    for card in store.cards():
        known = store.known(store.key(card))
        encoders.append(
            {
                "encoder": card.name,
                "fingerprint": card.fingerprint,
                "dim": card.dim,
                "vectors": len(known.unique()),
                "items": int(np.asarray(pc.is_in(items["_digest"], known)).sum()),
                "failures": len(store.failures(store.key(card))),
            }
        )
    columns = {f.name: str(f.type) for f in items.schema if f.name not in ("id", *OWN)}
    return {
        "store": store.place,
        "items": len(items),
        "columns": columns,
        "images_missing": len(gone),
        "first_missing": gone[:3],
        "encoders": encoders,
        "catalogues": store.catalogues(),
        "version": store.version(),
    }


def move_images(store: Store, folder: Path) -> int:
    """See ``Store.move_images``."""
    with store.writing():
        items = store.items()
        new = found_in(store.image_paths(items), items["_size"].to_pylist(), folder)
        moved = [None if path is None else str(path) for path in new]
        places = pa.array(moved, pa.string())
        here = {"_path": pc.coalesce(places, items["_path"])}
        if RELATIVE in items.column_names:
            nothing = pa.scalar(None, pa.string())
            here[RELATIVE] = pc.if_else(places.is_valid(), nothing, items[RELATIVE])
        for name, values in here.items():
            items = items.set_column(items.column_names.index(name), name, values)
        store.put_items(items)
    return sum(path is not None for path in moved)
