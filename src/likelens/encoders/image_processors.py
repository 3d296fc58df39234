"""What image processors of transformers do, read from ``preprocessor_config.json``.

Only processors whose steps were compared with the library are listed; all others are refused. The
comparison is ``tests/unit/test_image_processors.py``: the pixels equal those of the processors for
Pillow, and those of the processors for torchvision to five of 255 levels (on average less than
one), which is how far its resizing is from Pillow's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .preprocessing import middle, read_size
from .resizing import FILTERS

_CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class _Processor:
    """A class of image processors: what it does where its configuration is silent.

    Attributes:
        size: sides, or with ``shorter`` the shorter side.
        shorter: see ``size``.
        square: whether a configured size that is one number means both sides.
        crop: the side that is cut out, or None where there is no usual one.
        crops: whether it is cut out where nothing is stated.
        may_crop: whether ``do_center_crop`` is read at all.
        resample: Pillow's number of the filter.
        normalisation: mean and standard deviation, or None where nothing is normalised, whatever
            is stated.
        flips: whether channels are turned to BGR where nothing is stated; None: always RGB.
        floats: whether it resizes what is not rounded or cut off at 0 and 255: filters that
            overshoot then give other values than ours.
        crop_share: share of the shorter side that is cut out below 384 pixels, of ConvNeXT.
    """

    size: int = 224
    shorter: bool = False
    square: bool = True
    crop: int | None = None
    crops: bool = False
    may_crop: bool = True
    resample: int = 3
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None = _HALF
    flips: bool | None = None
    floats: bool = False
    crop_share: float | None = None


_LIKE_CLIP = _Processor(shorter=True, square=False, crop=224, crops=True, normalisation=_CLIP)
_MOBILENET = _Processor(size=256, shorter=True, square=False, crop=224, crops=True, resample=2)

PROCESSORS: Mapping[str, _Processor] = {
    "Beit": _Processor(crop=224),
    "Bit": _LIKE_CLIP,
    "Blip": _Processor(size=384, normalisation=_CLIP),
    "ChineseCLIP": _LIKE_CLIP,
    "CLIP": _LIKE_CLIP,
    "ConvNext": _Processor(size=384, shorter=True, square=False, crop_share=224 / 256),
    "DINOv3ViT": _Processor(resample=2, normalisation=_IMAGENET, floats=True),
    "DeiT": _Processor(size=256, crop=224, crops=True),
    "MobileNetV1": _MOBILENET,
    "MobileNetV2": _MOBILENET,
    "MobileViT": _Processor(
        shorter=True, square=False, crop=256, crops=True, normalisation=None, flips=True
    ),
    "OwlViT": _Processor(size=768, crop=768, normalisation=_CLIP),
    "Pvt": _Processor(normalisation=_IMAGENET),
    "Segformer": _Processor(size=512, may_crop=False, resample=2, normalisation=_IMAGENET),
    "Siglip": _Processor(square=False),
    "ViT": _Processor(resample=2),
}
"""By name without the ending ``ImageProcessor``, ``ImageProcessorFast`` or ``FeatureExtractor``."""

MODELS: Mapping[str, str] = {
    "beit": "Beit", "bit": "Bit", "blip": "Blip", "blip-2": "Blip", "chinese_clip": "ChineseCLIP",
    "clip": "CLIP", "clipseg": "ViT", "convnext": "ConvNext", "convnextv2": "ConvNext",
    "cvt": "ConvNext", "data2vec-vision": "Beit", "deit": "DeiT", "dinat": "ViT", "dinov2": "Bit",
    "dinov3_vit": "DINOv3ViT", "focalnet": "Bit", "groupvit": "CLIP", "hiera": "Bit",
    "ijepa": "ViT", "metaclip_2": "CLIP", "mobilenet_v1": "MobileNetV1",
    "mobilenet_v2": "MobileNetV2", "mobilevit": "MobileViT", "mobilevitv2": "MobileViT",
    "owlvit": "OwlViT", "pvt": "Pvt", "pvt_v2": "Pvt", "regnet": "ConvNext", "resnet": "ConvNext",
    "segformer": "Segformer", "siglip": "Siglip", "swiftformer": "ViT", "swin": "ViT",
    "swinv2": "ViT", "vit": "ViT", "vit_mae": "ViT", "vit_msn": "ViT", "xclip": "CLIP",
}  # fmt: skip
"""Which processor transformers takes for a model type, where the configuration names none."""

_ENDING = re.compile(r"(ImageProcessor(Fast|Pil)?|FeatureExtractor)$")


def hugging_face_keys(config: Mapping[str, Any], model_type: str = "") -> dict[str, str]:
    """The keys of ``Preprocessing`` that say what an image processor of transformers does.

    Args:
        config: what its ``preprocessor_config.json`` holds.
        model_type: of the model's ``config.json``; names the processor if ``config`` does not.

    Raises:
        ValueError: the processor is not listed here, or a value cannot be followed.
    """
    processor, stated = _processor(config, model_type), config
    if _flag(stated, "do_pad", False):
        raise ValueError("do_pad is not supported")
    keys = _geometry(stated, processor)
    keys["interpolation"] = _filter_name(stated.get("resample", processor.resample), processor)
    rescales = _flag(stated, "do_rescale", True)
    keys["scale"] = repr(_number(stated.get("rescale_factor", 1 / 255))) if rescales else "1"
    keys.update(mean="0", std="1")
    if processor.normalisation and _flag(stated, "do_normalize", True):
        mean, std = processor.normalisation
        keys["mean"] = _numbers(stated.get("image_mean", mean))
        keys["std"] = _numbers(stated.get("image_std", std))
    if processor.flips is not None and _flag(stated, "do_flip_channel_order", processor.flips):
        keys["channels"] = "BGR"
    return keys


def _processor(stated: Mapping[str, Any], model_type: str) -> _Processor:
    name = stated.get("image_processor_type") or stated.get("feature_extractor_type")
    if name is None:
        known = MODELS.get(model_type)
        if known is None:
            raise ValueError(
                "it does not name its image_processor_type, and no config.json beside it tells it"
            )
        return PROCESSORS[known]
    found = PROCESSORS.get(_ENDING.sub("", str(name)))
    if found is None:
        raise ValueError(f"image processors of the type {str(name)[:80]} are not supported")
    return found


def _geometry(stated: Mapping[str, Any], processor: _Processor) -> dict[str, str]:
    """Resize and crop; transformers rounds the place of a crop down."""
    crops = processor.may_crop and _flag(stated, "do_center_crop", processor.crops)
    crop = _crop_side(stated.get("crop_size", processor.crop)) if crops else "none"
    keys = {"resize": "none", "crop": f"floor:{crop}" if crops else "none"}
    if not _flag(stated, "do_resize", True):
        return keys
    sides = _sizes(stated, processor)
    if "shortest_edge" not in sides:
        if processor.crop_share:
            raise ValueError("size must have the key shortest_edge")
        keys["resize"] = f"squash:{_sides(sides)}"
        if crops and _same_middle(_sides(sides), crop):
            keys["crop"] = f"center:{crop}"
    elif processor.crop_share is None:
        keys["resize"] = f"shorter:{sides['shortest_edge']}"
    elif crops:
        raise ValueError("do_center_crop is not supported here")
    else:
        share = _number(stated.get("crop_pct", processor.crop_share))
        keys.update(_convnext(sides["shortest_edge"], share))
    return keys


def _sizes(stated: Mapping[str, Any], processor: _Processor) -> dict[str, int]:
    """Sides by name: ``height`` and ``width``, or ``shortest_edge``."""
    shorter = not processor.square if "size" in stated else processor.shorter
    size = stated.get("size", processor.size)
    if isinstance(size, int):
        size = {"shortest_edge": size} if shorter else [size, size]
    if isinstance(size, list | tuple) and len(size) == 2:
        size = {"height": size[0], "width": size[1]}
    if not isinstance(size, Mapping):
        raise ValueError(f"size is {_said(size)}")
    sides = {name: value for name, value in size.items() if value is not None}
    if sides.keys() not in ({"height", "width"}, {"shortest_edge"}):
        raise ValueError(f"a size of {', '.join(map(str, sides))[:80]} is not supported")
    for side in sides.values():
        _check_side(side)
    return sides


def _crop_side(crop: Any) -> str:
    if isinstance(crop, int):
        crop = [crop, crop]
    if isinstance(crop, list | tuple) and len(crop) == 2:
        crop = {"height": crop[0], "width": crop[1]}
    if not isinstance(crop, Mapping) or not {"height", "width"} <= crop.keys():
        raise ValueError(f"crop_size is {_said(crop)}")
    for side in (crop["height"], crop["width"]):
        _check_side(side)
    return _sides(crop)


def _check_side(side: object) -> None:
    if isinstance(side, bool) or not isinstance(side, int) or side < 1:
        raise ValueError(f"{_said(side)} is not a number of pixels")


def _sides(sides: Mapping[str, int]) -> str:
    height, width = sides["height"], sides["width"]
    return str(height) if height == width else f"{height}x{width}"


def _convnext(size: int, share: float) -> dict[str, str]:
    """ConvNeXT below 384 pixels crops that share of the image, from there on squashes it."""
    if size >= 384:
        return {"resize": f"squash:{size}", "crop": "none"}
    if not 0 < share <= 1:
        raise ValueError(f"crop_pct is {share}")
    return {"resize": f"shorter:{int(size / share)}", "crop": f"floor:{size}"}


def _same_middle(full: str, crop: str) -> bool:
    """Whether every rule cuts the same middle; the usual one names it then."""
    sizes = [read_size(key, text, text) for key, text in (("resize", full), ("crop", crop))]
    return all(
        middle(side, wanted, "floor") == middle(side, wanted, "center")
        for side, wanted in zip(*sizes, strict=True)
        if wanted <= side
    )


def _flag(stated: Mapping[str, Any], name: str, usual: bool) -> bool:
    """Whether a step is done; null says that it is not, whatever is usual."""
    value = stated.get(name, usual)
    if not isinstance(value, bool | None):
        raise ValueError(f"{name} is {_said(value)}, neither true nor false")
    return bool(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{_said(value)} is not a number")
    return float(value)


def _numbers(value: Any) -> str:
    values = value if isinstance(value, list | tuple) else [value]
    if len(values) not in (1, 3):
        raise ValueError(f"{len(values)} numbers for three channels")
    return " ".join(repr(_number(one)) for one in values)


def _filter_name(code: Any, processor: _Processor) -> str:
    wanted = ("bilinear",) if processor.floats else tuple(FILTERS)
    names = {int(FILTERS[name]): name for name in wanted}
    if isinstance(code, bool) or not isinstance(code, int) or int(code) not in names:
        raise ValueError(f"resample is {_said(code)}")
    return names[int(code)]


def _said(value: Any) -> str:
    """A value as the file has it, for a message."""
    return "null" if value is None else str(value)[:80]
