"""How pictures are prepared for a model file: its options, the files beside it, presets.

What is stated first counts: options of the spec; else ``model.onnx.toml`` or
``model.toml``; else Hugging Face's ``preprocessor_config.json``; else the file's row in
``models.csv``, the last two in the same folder. All are read into the keys of
``preprocessing.Preprocessing``, and what nobody states comes from a preset.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..values.errors import BadSpec
from .preprocessing import KEYS, Preprocessing, middle, read_size, split_keys
from .resizing import FILTERS, Size

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
    row = _table_row(model.with_name("models.csv"), model.name)
    for place in (model.with_name(model.name + ".toml"), model.with_suffix(".toml")):
        if place.is_file():
            return Side(str(place), _toml_keys(place, known), row)
    config = model.with_name("preprocessor_config.json")
    if config.is_file():
        return Side(str(config), _hugging_face_file(config), row)
    if row.get("preprocessing"):
        return Side(str(model.with_name("models.csv")), split_keys(row["preprocessing"]), row)
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
        values = tomllib.loads(place.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unreadable(place, error) from error
    for key, value in values.items():
        plain = isinstance(value, str | int | float | list) and not isinstance(value, bool)
        if key not in known or not plain:
            raise BadSpec(
                f"{key} = {value!r} is none of the options of an ONNX file",
                where=str(place),
                hint=f"use the keys {', '.join(known)}, with text, numbers or lists of numbers",
            )
    return {key: _as_text(value) for key, value in values.items()}


def _as_text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _table_row(place: Path, name: str) -> dict[str, str]:
    """The row of ``models.csv`` whose column ``file`` names the model, if there is one."""
    if not place.is_file():
        return {}
    try:
        with place.open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if row.get("file") == name]
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(place, error) from error
    return {key: text or "" for key, text in rows[0].items() if key} if rows else {}


def _hugging_face_file(place: Path) -> dict[str, str]:
    try:
        return hugging_face_keys(json.loads(place.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(place, error) from error


def hugging_face_keys(config: dict[str, Any]) -> dict[str, str]:
    """The keys that say what an image processor of transformers does.

    Args:
        config: what its ``preprocessor_config.json`` holds.

    Raises:
        KeyError, TypeError, ValueError: it is no such configuration, or cannot be said in keys.
    """
    name = _processor_name(config)
    if name.startswith(_OWN_WAY):
        raise ValueError(f"{name} has steps of its own")
    keys = _hugging_face_geometry(config)
    if "resample" in config:
        keys["interpolation"] = _filter_name(config["resample"])
    rescales = config.get("do_rescale", True)
    keys["scale"] = str(config.get("rescale_factor", 1 / 255)) if rescales else "1"
    if not config.get("do_normalize", True):
        keys.update(mean="0", std="1")
    for key, stated in (("mean", "image_mean"), ("std", "image_std")):
        if stated in config and config.get("do_normalize", True):
            keys[key] = _as_text(config[stated])
    if config.get("do_flip_channel_order"):
        keys["channels"] = "BGR"
    return keys


_OWN_WAY = ("EfficientNet", "Levit", "Perceiver", "PoolFormer")
"""Image processors that do other things than their configuration says."""


def _processor_name(config: Mapping[str, Any]) -> str:
    return str(config.get("image_processor_type") or config.get("feature_extractor_type") or "")


def _hugging_face_geometry(config: dict[str, Any]) -> dict[str, str]:
    """Resize and crop, whose middle transformers finds by rounding down.

    A bare number is the shorter side for CLIP and ConvNeXT, else a square.
    """
    name = _processor_name(config)
    size, crop = config.get("size"), config.get("crop_size")
    if isinstance(size, int):
        size = {"shortest_edge": size} if "CLIP" in name or "ConvN" in name else {"side": size}
    crops = bool(config.get("do_center_crop"))
    keys = {"crop": f"floor:{_side(crop)}" if crops else "none"}
    if not config.get("do_resize", True):
        keys["resize"] = "none"
    elif size is None:
        raise KeyError("size")
    elif "shortest_edge" not in size:
        keys["resize"] = f"squash:{_side(size)}"
        if crops and _alike(_side(size), _side(crop)):
            keys["crop"] = f"center:{_side(crop)}"
    elif "longest_edge" in size:
        raise ValueError("shortest_edge together with longest_edge is not known here")
    elif "crop_pct" in config and not crops:
        keys.update(_convnext(size["shortest_edge"], config["crop_pct"]))
    else:
        keys["resize"] = f"shorter:{size['shortest_edge']}"
    return keys


def _convnext(size: int, share: float) -> dict[str, str]:
    """ConvNeXT below 384 pixels crops that share of the picture, from there on squashes it."""
    if size >= 384:
        return {"resize": f"squash:{size}", "crop": "none"}
    return {"resize": f"shorter:{int(size / share)}", "crop": f"floor:{size}"}


def _alike(full: str, crop: str) -> bool:
    """Whether every rule cuts the same middle; the usual one names it then."""
    sizes = [read_size(key, text, text) for key, text in (("resize", full), ("crop", crop))]
    return all(
        middle(side, wanted, "floor") == middle(side, wanted, "center")
        for side, wanted in zip(*sizes, strict=True)
        if wanted <= side
    )


def _side(size: int | dict[str, int] | None) -> str:
    if size is None:
        raise KeyError("crop_size")
    if isinstance(size, int):
        return str(size)
    return str(size["side"]) if "side" in size else f"{size['height']}x{size['width']}"


def _filter_name(code: int) -> str:
    names = {int(method): name for name, method in FILTERS.items()}
    return names[int(code)]


def _unreadable(place: Path, error: Exception) -> BadSpec:
    reason = " ".join(str(error).split())
    return BadSpec(
        f"this file says nothing that can be used: {type(error).__name__} {reason}",
        where=str(place),
        hint="correct it, or state ?preset= or resize, crop, mean and std as options",
    )
