"""Vectors made elsewhere: ``vectors:FILE``, joined to a catalogue by id, never by position."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..values.embeddings import Embeddings, EncoderCard, failure_table
from ..values.errors import BadTable, EncoderFailed, first_few
from ..values.spec import Spec, fingerprint
from .base import VectorSource
from .vector_files import FORMATS, id_table, read_vectors, write_vectors

if TYPE_CHECKING:
    from ..values.catalogue import Catalogue


__all__ = ["VectorFile", "read_vectors", "write_vectors"]


class VectorFile(VectorSource):
    """Vectors made elsewhere, of a .parquet, .npz or .npy file: vectors:FILE.

    Parquet has a column of ids and one of lists; ``.npz`` two arrays of those names;
    ``x.npy`` a matrix beside a table of as many ids, ``x.ids.csv`` or ``x.csv``.

    Options: ``id`` and ``vector``, the names of columns or arrays, if not the usual ones.
    """

    def __init__(self, spec: Spec) -> None:
        spec.check_options(("id", "vector"))
        self.spec = spec
        name = f"{spec.identifier}@{spec.layer}" if spec.layer else spec.identifier
        self.path = Path(name).expanduser()
        if not self.path.is_file() or self.path.suffix.lower() not in FORMATS:
            what = "this is no file of vectors" if self.path.exists() else "there is no such file"
            raise EncoderFailed(
                what, where=str(spec), hint=f"give a file ending in {', '.join(FORMATS)}"
            )

    def embeddings(self, catalogue: Catalogue, embed: Callable[[str], Embeddings]) -> Embeddings:  # noqa: ARG002
        """The file's vectors for the catalogue's items; items without one are failures.

        Raises:
            BadTable: the file cannot be read, names an id twice, or has no item in common.
            BadShape: vectors of different lengths, or not finite.
        """
        named = self.spec.options
        ids, vectors = read_vectors(self.path, named.get("id"), named.get("vector"))
        row = {item: place for place, item in enumerate(ids)}
        found = [item for item in catalogue.ids if item in row]
        if not found:
            raise BadTable(
                f"none of the {len(ids):,} ids of the file ({first_few(ids)}) is among the "
                f"{len(catalogue.ids):,} of the catalogue ({first_few(catalogue.ids)})",
                where=str(self.spec),
                hint="give the file of this catalogue, or name its column of ids: ?id=NAME",
            )
        lost = [
            (item, str(path), "the file has no vector for this item")
            for item, path in zip(catalogue.ids, catalogue.paths, strict=True)
            if item not in row
        ]
        card = EncoderCard(
            name=str(self.spec),
            fingerprint=fingerprint(vectors=_content(self.path), **named),
            dim=vectors.shape[1],
            size_bytes=self.path.stat().st_size,
            details={"file": self.path.name, "vectors": len(ids), "unused": len(ids) - len(found)},
        )
        return Embeddings(
            tuple(found), vectors[[row[item] for item in found]], card, failure_table(lost)
        )


def _content(path: Path) -> str:
    """A hash of the file and of the table of ids beside it."""
    digest = hashlib.blake2b(digest_size=16)
    table = id_table(path) if path.suffix.lower() == ".npy" else None
    for place in (path, table) if table else (path,):
        with place.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
