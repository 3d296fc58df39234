"""What a check of a catalogue found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..values.catalogue import Catalogue
from ..values.errors import plural
from ..values.files import plain

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, repr=False)
class Check:
    """What a check of a catalogue found; every finding is a suggestion to look at.

    Attributes:
        catalogue: what was checked.
        unusable: Arrow table, a row per finding: ``id`` (null for an image that no row names),
            ``path``, ``problem`` (missing, unlisted, unreadable, too small, blank, extreme
            shape, no vector) and ``detail``.
        copies: a row per image that has a copy: ``group`` (from 1), ``id``, ``product``,
            ``relation`` to the first of the group (reference, same file, identical file,
            identical pixels, near-copy, crop), ``across_products``, ``difference`` (largest
            difference to the reference in grey levels, see docs/check.md), ``cosine``
            to the reference, ``width``, ``height``, ``bytes``, ``path``, and ``tags_differ``
            (the tag columns in which the images of the group differ).
        wrong_tags: a row per tag that is probably wrong, by column, most surprising first:
            ``column``, ``id``, ``tag``, ``suggested``, ``surprise``, ``support`` (share of the
            neighbours with the suggested tag), ``agree`` (share with the present one),
            ``neighbours`` (ids of similar items with the suggested tag) and ``path``.
        columns: a row per tag column: ``column``, ``items``, ``tags``, ``accuracy`` (of the
            neighbours' tags, leave one out), ``majority`` (share of the most frequent tag),
            ``suspected``, ``recovered`` and ``precision`` (of tags exchanged at random), and
            ``reason`` why it was not judged.
        notes: what the reader should know.
        run: what was run.
    """

    catalogue: Catalogue
    unusable: pa.Table
    copies: pa.Table
    wrong_tags: pa.Table
    columns: pa.Table
    notes: tuple[str, ...]
    run: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How much was found; images that no row names are ``unlisted``, not ``unusable``."""
        unlisted = self.unusable["problem"].to_pylist().count("unlisted")
        across = dict(
            zip(
                self.copies["group"].to_pylist(),
                self.copies["across_products"].to_pylist(),
                strict=True,
            )
        )
        return {
            "items": len(self.catalogue),
            "unusable": len(self.unusable) - unlisted,
            "unlisted": unlisted,
            "copies": len(self.copies),
            "copy_groups": len(across),
            "copy_groups_across_products": sum(across.values()),
            "wrong_tags": len(self.wrong_tags),
        }

    def __repr__(self) -> str:
        return f"Check({self.summary})"

    @property
    def summary(self) -> str:
        """The findings in a line."""
        found = self.counts
        groups = plural(found["copy_groups"], "group")
        return (
            f"{plural(found['items'], 'item')}: {found['unusable']:,} unusable, "
            f"{found['copies']:,} copies in {groups} "
            f"({found['copy_groups_across_products']:,} across products), "
            f"{plural(found['wrong_tags'], 'probably wrong tag')}"
            + (f"; {found['unlisted']:,} images without a row" if found["unlisted"] else "")
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name.replace('_', ' '))}</th>"
            f"<td>{count:,}</td></tr>"
            for name, count in self.counts.items()
        )
        return f"<table>{rows}</table>"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that JSON can write (NaN as None)."""
        everything = {
            "counts": self.counts,
            **{name: getattr(self, name).to_pylist() for name in TABLES},
            "notes": list(self.notes),
            "run": dict(self.run),
        }
        result: dict[str, Any] = plain(everything)
        return result

    def write(self, folder: str | os.PathLike[str]) -> Path:
        """Write the tables as .csv and .parquet, check.json and check.html; returns the page.

        Raises:
            BadTable: the folder cannot be written to.
        """
        from ..report.check import write_check

        return write_check(self, Path(folder))


TABLES = ("unusable", "copies", "wrong_tags", "columns")
"""The tables of a check, which are also the names of its files."""
