"""Short names for long specs, from a file ``encoders.toml``.

    [encoders]
    fashion = "onnx:models/fashion.onnx@features?preset=clip"
    both = "onnx:models/fashion.onnx + 0.5*opencv:colour"

Paths in it are relative to the file. A name can be used wherever a spec can, also as a part of a
fused encoder (``fashion + 0.5*opencv:colour``) and before a layer or options (``fashion@logits``).
Boards and tables show it. It is not part of the fingerprint: a new name keeps all vectors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from ..values.errors import BadSpec, BadTable, LikelensError, nearest
from ..values.spec import FUSED, Spec
from ..values.text_files import read_toml

VARIABLE, FILE = "LIKELENS_ENCODERS", "encoders.toml"

_NAME = re.compile(r"[A-Za-z][\w.-]*")
_PART = re.compile(
    r"(?P<weight>\s*(?:[^*:+]*\*)?\s*)(?P<name>[A-Za-z][\w.-]*)"
    r"(?P<layer>@[^?:]+)?(?P<options>\?.*)?"
)
_WITH_PATH = ("onnx", "checkpoint", "vectors")
_chosen: Path | None = None


def choose_file(path: str | os.PathLike[str] | None) -> None:
    """Take names from this file from now on; None: from the usual places."""
    global _chosen
    _chosen = None if path is None else Path(path)


def find_file(path: str | os.PathLike[str] | None = None) -> Path | None:
    """The file of names: that one, else $LIKELENS_ENCODERS, else encoders.toml in this folder.

    Raises:
        BadTable: a file that is named does not exist.
    """
    named = path or _chosen or os.environ.get(VARIABLE)
    if named is None or named == "":
        return Path(FILE) if Path(FILE).is_file() else None
    place = Path(named).expanduser()
    if not place.is_file():
        where = f"${VARIABLE}: {place}" if not (path or _chosen) else str(place)
        raise BadTable(
            "there is no such file of encoders",
            where=where,
            hint='write one with the lines [encoders] and name = "onnx:model.onnx@features"',
        )
    return place


def read_names(
    path: str | os.PathLike[str] | None = None, *, sources: Collection[str]
) -> dict[str, str]:
    """Specs by short name; empty where there is no file.

    Args:
        path: the file, see ``find_file``.
        sources: what cannot be a name, for it is a source of encoders.

    Raises:
        BadTable: the file cannot be read, or has a wrong name or spec.
    """
    place = find_file(path)
    if place is None:
        return {}
    content = read_toml(place)
    table = content.get("encoders")
    if not isinstance(table, dict) or content.keys() != {"encoders"}:
        others = [name for name in content if name != "encoders"]
        raise BadTable(
            f"{others[0]} does not belong here" if others else "there is no table [encoders]",
            where=str(place),
            hint='write [encoders], and below it lines such as fashion = "onnx:model.onnx"',
        )
    return {name: _checked(name, text, place, sources) for name, text in table.items()}


def _checked(name: str, text: object, place: Path, sources: Collection[str]) -> str:
    """The spec of a name, its paths relative to the file."""
    if not _NAME.fullmatch(name) or name in sources:
        taken = name in sources
        raise BadTable(
            f"{name!r} is a source of encoders" if taken else f"{name!r} cannot be a name",
            where=str(place),
            hint="choose a name of letters, digits, _, . and - that begins with a letter",
        )
    if not isinstance(text, str):
        raise BadTable(
            f"{name} is {str(text)[:80]}, not a spec in quotes",
            where=str(place),
            hint=f'write {name} = "onnx:model.onnx@features"',
        )
    try:
        spec = Spec.parse(text)
        unknown = [part.source for _, part in spec.parts if part.source not in sources]
        if unknown:
            raise BadSpec(
                f"there is no encoder source {unknown[0]!r}",
                where=text,
                hint=f"choose one of: {', '.join(sources)}",
            )
    except BadSpec as error:
        raise BadTable(f"{name}: {error.what}", where=str(place), hint=error.hint) from error
    if spec.source == FUSED:
        return str(Spec.fuse([(weight, _placed(part, place)) for weight, part in spec.parts]))
    return str(_placed(spec, place))


def _placed(spec: Spec, place: Path) -> Spec:
    """The same with a path that is found from the working folder."""
    folder = place.parent
    inside = folder / spec.identifier
    is_path = spec.source in _WITH_PATH or (spec.source == "hf" and inside.is_dir())
    if not is_path or spec.identifier.startswith("~"):
        return spec
    return Spec(spec.source, str(inside), spec.layer, spec.options)


def resolve(
    text: str, *, sources: Collection[str], path: str | os.PathLike[str] | None = None
) -> str:
    """A spec, with short names replaced by what they stand for.

    Raises:
        BadSpec: a word that is neither a spec nor a name.
        BadTable: the file of names cannot be used.
    """
    parts = re.split(r"(?<=\s)\+(?=\s)", text)
    if not any(_PART.fullmatch(part.strip()) for part in parts) and "of=" not in text:
        return text
    names = read_names(path, sources=sources)
    if not names:
        return text
    if text.startswith("control:"):
        control = Spec.parse(text)
        of = {name: _meant(value, names) for name, value in control.options.items() if name == "of"}
        return str(
            Spec(control.source, control.identifier, control.layer, {**control.options, **of})
        )
    return " + ".join(_meant(part.strip(), names) for part in parts)


def _meant(part: str, names: dict[str, str]) -> str:
    found = _PART.fullmatch(part)
    if found is None:
        return part
    name = found["name"]
    if name not in names:
        close = nearest(name, names)
        if not close and not found["weight"]:
            return part  # ``Spec.parse`` says what it could have been
        raise BadSpec(
            f"{name!r} is not the name of an encoder",
            where=part,
            hint=close or f"the names are: {', '.join(names)}",
        )
    spec = Spec.parse(names[name])
    if found["layer"]:
        spec = spec.with_layer(found["layer"][1:])
    if found["options"]:
        more = Spec.parse(f"more:more{found['options']}").options
        options = dict(sorted({**spec.options, **more}.items()))
        spec = Spec(spec.source, spec.identifier, spec.layer, options)
    return f"{found['weight']}{spec}"


def shown(spec: str, *, sources: Collection[str]) -> str:
    """A spec with short names for itself, for the parts of a fusion, or for what it shuffles."""
    try:
        names = read_names(sources=sources)
        parsed = Spec.parse(spec)
        of = parsed.options.get("of", "")
        if ":" in of:
            return spec.replace(f"of={of}", f"of={_short(Spec.parse(of), names)}")
    except LikelensError:
        return spec  # told of where a name is asked for
    if parsed.source != FUSED or spec in names.values():
        return _short(parsed, names)
    return " + ".join(
        ("" if weight == 1 else f"{weight:g}*") + _short(part, names)
        for weight, part in parsed.parts
    )


def _short(spec: Spec, names: dict[str, str]) -> str:
    """The name of a spec; with its layer and options behind it, where only these are others."""
    same = next((name for name, text in names.items() if text == str(spec)), None)
    if same or spec.source == FUSED:
        return same or str(spec)
    for name, text in names.items():
        named = Spec.parse(text)
        more = dict(spec.options.items() - named.options.items())
        written = str(Spec("more", "more", spec.layer if spec.layer != named.layer else None, more))
        short = name + written.removeprefix("more:more")
        if named.source == spec.source and _meant(short, names) == str(spec):
            return short
    return str(spec)
