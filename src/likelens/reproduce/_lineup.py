"""The encoders of a reproduction: rows of a line-up, opened as far as they can be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..encoders.base import Encoder, VectorSource
from ..encoders.opening import open_encoders, resolved, short_names
from ..encoders.running import Running
from ..presets import Row, find
from ..report.formats import FILE_SOURCES
from ..values.errors import BadSpec, LikelensError, MissingExtra, NoWeights, first_few, plural
from ..values.spec import FUSED, Spec

Missing = tuple[tuple[Row, str], ...]
"""Rows that cannot be had, and why."""


def rows_of(encoders: Sequence[str | Row]) -> list[Row]:
    """The encoders as rows, controls left out, for they are added anyway.

    Raises:
        BadSpec: there is none but controls.
    """
    rows = [one if isinstance(one, Row) else _row(str(one)) for one in encoders]
    rows = [row for row in rows if Spec.parse(row.spec).source != "control"]
    if not rows:
        raise BadSpec(
            "no encoder is named but controls",
            where="reproduce",
            hint="name some with -e, or a line-up with --preset (docs/presets.md)",
        )
    return rows


def _row(text: str) -> Row:
    """A row of a spec, or of a short name, which is then what tables call it."""
    spec = str(resolved(text))
    return Row(spec, text if text in short_names() else "", "")


def open_rows(
    rows: Sequence[Row], running: Running | None
) -> tuple[list[Encoder | VectorSource], Missing]:
    """The encoders that can be had, in the order of their rows, and the rows that cannot.

    Raises:
        BadSpec: an encoder is named wrongly.
        LikelensError: not one can be had.
    """
    ready = [row for row in rows if row.ready]
    opened, lost = open_encoders([row.spec for row in ready], running)
    reasons = {name: f"{error.what}; {error.hint}" for name, error in lost.items()}
    absent = {row.spec: f"its file {row.file} is not here" for row in rows if not row.ready}
    reasons |= absent
    if not opened:
        raise _not_one(rows, lost, absent)
    return opened, tuple((row, reasons[row.spec]) for row in rows if row.spec in reasons)


def _not_one(
    rows: Sequence[Row],
    lost: Mapping[str, LikelensError],
    absent: Mapping[str, str],
) -> LikelensError:
    """Why there is no encoder, each reason once with those that it holds for."""
    if len(rows) == len(lost) == 1:
        return next(iter(lost.values()))
    whats = {**absent, **{name: error.what for name, error in lost.items()}}
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(whats[row.spec], []).append(row.spec)
    told = "; ".join(f"{first_few(names)}: {what}" for what, names in by_reason.items())
    mends = list({type(error): error.hint for error in lost.values()}.values())
    if absent:
        mends.append("get the files that the presets name (docs/presets.md)")
    installable = all(isinstance(error, MissingExtra) for error in lost.values())
    kind = MissingExtra if installable and not absent else NoWeights
    return kind(
        f"not one of {plural(len(rows), 'encoder')} can be had: {told}",
        where="reproduce",
        hint="; or ".join(mends),
    )


def controls(opened: Sequence[Encoder | VectorSource]) -> list[str]:
    """Random vectors as long as those of the first encoder, and its own ones shuffled.

    Of a fusion the first part is shuffled, for a control can only name one encoder.
    """
    seeing = [one for one in opened if isinstance(one, Encoder)]
    if not seeing:
        return ["control:random"]
    first = min(seeing, key=lambda one: one.spec.source == FUSED)
    part = first.spec.parts[0][1]
    return [f"control:random?dim={first.dim}", f"control:shuffled?of={part}"]


def short_name(encoder: str) -> str:
    """The name of an encoder in a preset, its file's name, or its spec."""
    row, spec = find(encoder), Spec.parse(encoder)
    if spec.source == "control":
        return spec.identifier
    if row is not None:
        return row.name
    return Path(spec.identifier).stem if spec.source in FILE_SOURCES else encoder
