"""How pictures are prepared for a model file: its options, the files beside it, presets.

What is stated first counts: options of the spec; else ``model.onnx.toml`` or
``model.toml``; else Hugging Face's ``preprocessor_config.json``; else the file's row in
``models.csv``, the last two in the same folder. All are read into the keys of
``preprocessing.Preprocessing``, and what nobody states comes from a preset.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..values.columns import nfc
from ..values.errors import BadSpec, BadTable, EncoderFailed, LikelensError, LikelensWarning
from ..values.tables import read_records
from ..values.text_files import read_json, read_toml
from .image_processors import hugging_face_keys
from .preprocessing import KEYS, Preprocessing, read_size, split_keys
from .resizing import Size

PRESETS = {
    "imagenet": "resize=shorter:256;crop=center:224;mean=0.485 0.456 0.406;std=0.229 0.224 0.225",
    "half": "resize=shorter:256;crop=center:224;mean=0.5;std=0.5",
    "clip": "resize=shorter:224;crop=center:224;interpolation=bicubic;"
    "mean=0.48145466 0.4578275 0.40821073;std=0.26862954 0.26130258 0.27577711",
    "siglip": "resize=squash:224;interpolation=bicubic;mean=0.5;std=0.5",
    "unit": "resize=shorter:256;crop=center:224",
    "raw": "resize=shorter:256;crop=center:224;scale=1",
}
"""Usual ways, written for 224 pixels; another size keeps the proportion of resize and crop.

``half`` gives -1 to 1, ``unit`` 0 to 1, ``raw`` 0 to 255.
"""

_LARGEST = 1 << 20  # bytes of a file that describes preprocessing

OPTIONS = ("size", "preset", *KEYS)
"""What a spec, or a ``.toml`` file beside the model, may state."""


@dataclass(frozen=True)
class Side:
    """What a file beside the model states.

    Attributes:
        place: that file, or "" if there is none.
        keys: options as text.
        about: what else it says: accuracy, licence.
    """

    place: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)


def read_side(model: Path, known: tuple[str, ...]) -> Side:
    """The first of the files beside a model that says how to use it.

    Args:
        model: the model's file.
        known: the keys that a ``.toml`` file may have.

    Raises:
        BadSpec: such a file cannot be read, or says what we cannot do.
    """
    table = model.with_name("models.csv")
    row, listed = _table_row(table, model.name), True
    if row is None:
        row, listed = {}, False
    for place in (model.with_name(model.name + ".toml"), model.with_suffix(".toml")):
        if place.is_file():
            return Side(str(place), _toml_keys(place, known), row)
    folder = hub_folder(model)
    found = _hub_file(folder) if folder else None
    if found:
        return Side(str(found[0]), found[1], row)
    if row.get("preprocessing"):
        try:
            return Side(str(table), split_keys(row["preprocessing"]), row)
        except BadSpec as error:
            raise _unreadable(table, error) from error
    if not listed:
        warnings.warn(
            f"{table.name} beside {model.name} has no row for it (column file)",
            LikelensWarning,
            stacklevel=2,
        )
    return Side(about=row)


def percent(text: str) -> float | None:
    """A published accuracy; ~ before it marks one that others measured."""
    try:
        return float(text.lstrip("~"))
    except ValueError:
        return None


def settle(
    options: Mapping[str, str],
    side: Mapping[str, str],
    *,
    size: Size | None,
    layout: str | None,
    usual: str = "imagenet",
    where: str,
) -> tuple[Preprocessing, tuple[str, ...]]:
    """The preprocessing that was stated, completed by a preset.

    Args:
        options: keys of OPTIONS that the user gave; they count before ``side``.
        side: keys that a file beside the model gave; unheard if a preset is asked for.
        size: height and width of the model's input, or None if it takes any.
        layout: layout of the model's input, or None if its shape does not tell.
        usual: the preset that completes what nobody stated.
        where: the spec, for messages.

    Returns:
        The preprocessing, and which of resize, mean and std had to be assumed.

    Raises:
        BadSpec: a wrong value, no size to be found, or another than the model takes.
    """
    stated = {**({} if "preset" in options else side), **options}
    preset = stated.pop("preset", None)
    if preset is not None and preset not in PRESETS:
        raise BadSpec(
            f"there is no preset {preset!r}",
            where=where,
            hint=f"choose one of {', '.join(PRESETS)}",
        )
    wanted = stated.pop("size", None)
    usual_way = Preprocessing.parse(PRESETS[preset or usual])
    asked = read_size("size", wanted, where) if wanted else size
    geometry = _geometry(stated, asked, usual_way, where)
    if "size" in options and asked and not {"resize", "crop"} & options.keys():
        geometry = geometry.to_size(asked)
    keys = {**split_keys(str(usual_way)), **stated, **_geometry_keys(geometry)}
    keys["layout"] = stated.get("layout", layout or "NCHW")
    made = Preprocessing.from_keys(keys, where=where)
    if layout not in (None, made.layout):
        raise BadSpec(
            f"the model's input is {layout}, not {made.layout}",
            where=where,
            hint="leave layout out: it is read from the file",
        )
    if made.size is None or (size is not None and made.size != size):
        raise BadSpec(
            f"the model takes {_text(size)}, the preprocessing gives {_text(made.size)}",
            where=where,
            hint="state a fitting ?size=, or ?resize= and crop= that end in one size",
        )
    assumed = [key for key in ("resize", "mean", "std") if not preset and key not in stated]
    return made, tuple(assumed)


def _geometry(
    stated: Mapping[str, str], size: Size | None, usual: Preprocessing, where: str
) -> Preprocessing:
    """Resize and crop alone; what is not stated follows from the size."""
    resize, crop = stated.get("resize"), stated.get("crop")
    if resize is None and crop is None:
        return usual.to_size(read_size("size", _needed(size, where), where))
    if resize == "squash":
        resize = f"squash:{_needed(size, where)}"
    if crop is None:
        squashes = resize is not None and resize.startswith("squash")
        crop = "none" if squashes else _needed(size, where)
    cropped = Preprocessing.from_keys({"resize": resize or "none", "crop": crop}, where=where)
    if resize is not None:
        return cropped
    wanted = cropped.crop or read_size("size", _needed(size, where), where)
    return replace(usual.to_size(wanted), crop=cropped.crop, cut=cropped.cut)


def _needed(size: Size | None, where: str) -> str:
    if size is None:
        raise BadSpec(
            "the model takes pictures of any size, and none is stated",
            where=where,
            hint="state it: ?size=224",
        )
    return f"{size[0]}x{size[1]}"


def _geometry_keys(geometry: Preprocessing) -> dict[str, str]:
    keys = split_keys(str(geometry))
    return {"resize": keys["resize"], "crop": keys["crop"]}


def _text(size: Size | None) -> str:
    return f"{size[0]} x {size[1]} pixels" if size else "any size"


def _toml_keys(place: Path, known: tuple[str, ...]) -> dict[str, str]:
    try:
        values = read_toml(place)
    except BadTable as error:
        raise _unreadable(place, error) from error
    for key, value in values.items():
        plain = isinstance(value, str | int | float | list) and not isinstance(value, bool)
        if key not in known or not plain:
            raise EncoderFailed(
                f"{key} = {str(value)[:80]} is none of the options of an ONNX file",
                where=str(place),
                hint=f"use the keys {', '.join(known)}, with text, numbers or lists of numbers",
            )
    return {key: _as_text(value) for key, value in values.items()}


def _as_text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _table_row(place: Path, name: str) -> dict[str, str] | None:
    """The row of ``models.csv`` whose column ``file`` names the model; None if there is none."""
    if not place.is_file():
        return {}
    try:
        rows = read_records(place, missing=("",))
    except BadTable as error:
        raise _unreadable(place, error) from error
    if rows and not any("file" in row for row in rows):
        return {}  # a table of something else
    return next((row for row in rows if row.get("file") == nfc(name)), None)


def hub_folder(model: Path) -> Path | None:
    """The folder of the model's hub files; the hub keeps ONNX files in a folder ``onnx`` of it."""
    folders = (model.parent, *((model.parent.parent,) if model.parent.name == "onnx" else ()))
    names = (*_HUB, "config.json")
    return next((one for one in folders if any((one / name).is_file() for name in names)), None)


_HUB = ("preprocessor_config.json", "processor_config.json")
"""Files of the hub that say what an image processor does."""


def _hub_file(folder: Path) -> tuple[Path, dict[str, str]] | None:
    """What the image processor of a folder of the hub does, and which file says so.

    The newer ``processor_config.json`` counts, if it describes an image processor.
    """
    places = [folder / name for name in reversed(_HUB) if (folder / name).is_file()]
    for place in places:
        config: Any = _json_object(place)
        if place.name == "processor_config.json":
            config = config.get("image_processor")
        if not isinstance(config, dict):
            continue
        model_type = str(read_hub_config(folder).get("model_type", ""))
        try:
            return place, hugging_face_keys(config, model_type)
        except ValueError as error:
            raise _unreadable(place, error) from error
    return None


def read_hub_config(folder: Path) -> dict[str, Any]:
    """What ``config.json`` in a folder says of the network; nothing where there is none.

    Raises:
        BadSpec: the file is damaged.
    """
    place = folder / "config.json"
    return _json_object(place) if place.is_file() else {}


def _json_object(place: Path) -> dict[str, Any]:
    if place.stat().st_size > _LARGEST:
        raise _unreadable(place, ValueError(f"it is larger than {_LARGEST:,} bytes"))
    try:
        found = read_json(place)
    except BadTable as error:
        raise _unreadable(place, error) from error
    if not isinstance(found, dict):
        raise _unreadable(place, ValueError("it holds no JSON object"))
    return found


def _unreadable(place: Path, error: Exception) -> EncoderFailed:
    """One sentence about a file beside the model that cannot be used."""
    reason = error.what if isinstance(error, LikelensError) else str(error)
    return EncoderFailed(
        f"this file cannot be used: {' '.join(reason.split())[:200]}",
        where=str(place),
        hint="correct it, or state ?preset= or resize, crop, mean and std as options",
    )
