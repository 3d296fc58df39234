"""Our reading of ``preprocessor_config.json`` against every image processor of transformers.

Whatever is not refused has the pixels of the processor for Pillow (those of long strips to two of
255 levels), and to five levels, on average less than one, those of the processor for torchvision.
"""

import json

import numpy as np
import pytest
from PIL import Image

from likelens.encoders.image_processors import MODELS, PROCESSORS, hugging_face_keys
from likelens.encoders.preprocessing import Preprocessing
from likelens.encoders.torch_load import need_torch, need_vision

need_vision(need_torch("tests"), "tests")
transformers = pytest.importorskip("transformers")
auto = pytest.importorskip("transformers.models.auto.image_processing_auto")

REGISTRY = auto.IMAGE_PROCESSOR_MAPPING_NAMES
NAMES = sorted({name for kinds in REGISTRY.values() for name in kinds.values() if name})

CHANGES = (
    {},
    {"size": 50},
    {"size": {"shortest_edge": 51}},
    {"size": {"height": 48, "width": 41}},
    {"size": [48, 41]},
    {"size": {"shortest_edge": 40, "longest_edge": 70}},
    {"size": {"longest_edge": 70}},
    {"size": {"max_height": 40, "max_width": 70}},
    {"size": 50, "do_center_crop": True, "crop_size": {"height": 37, "width": 40}},
    {"size": 50, "do_center_crop": True, "crop_size": 33},
    {"size": 50, "do_center_crop": True, "crop_size": 81},
    {"size": {"height": 48, "width": 41}, "do_center_crop": True, "crop_size": 36},
    {"size": 50, "do_center_crop": False},
    {"do_resize": False, "do_center_crop": True, "crop_size": 36},
    {"size": 50, "do_rescale": False},
    {"size": 50, "do_normalize": False},
    {"size": 50, "do_normalize": True},
    {"size": 50, "do_normalize": False, "do_rescale": False},
    {
        "size": 50,
        "rescale_factor": 1 / 127.5,
        "image_mean": [1.0, 1.1, 1.2],
        "image_std": [1, 2, 3],
    },
    {"size": 50, "image_mean": 0.4, "image_std": 0.3},
    {"size": 50, "do_flip_channel_order": True},
    {"size": 50, "do_flip_channel_order": False},
    {"size": 50, "do_pad": True, "pad_size": {"height": 90, "width": 90}},
    {"size": {"shortest_edge": 50}, "crop_pct": 0.7},
    {"size": {"shortest_edge": 50}, "crop_pct": 0.7, "do_center_crop": True, "crop_size": 36},
    {"size": {"shortest_edge": 400}, "crop_pct": 0.7},
    {"size": 50, "do_convert_rgb": False, "do_reduce_labels": True},
    {"size": 50, "do_normalize": None, "do_rescale": None, "do_center_crop": None},
    {"do_resize": None, "do_center_crop": True, "crop_size": 36},
    {"size": 50, "crop_size": None},
    {"size": None},
    {"size": 50, "resample": None},
    {"size": 50, "image_mean": None},
    {"size": 50, "do_flip_channel_order": None, "do_pad": None},
    *({"size": 50, "resample": code} for code in range(6)),
)


def image(height, width):
    draw = np.random.default_rng([height, width])
    coarse = draw.integers(0, 256, (height // 5 + 2, width // 5 + 2, 3), np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


IMAGES = [image(*size) for size in ((41, 62), (61, 40), (133, 90), (20, 150), (151, 21), (30, 30))]


def family(name):
    return name.removesuffix("Pil").removesuffix("ImageProcessor")


def made(processor, picture):
    pixels = processor(images=picture, return_tensors="np")["pixel_values"]
    return np.asarray(pixels, np.float32)[0]


def pads(how, picture):
    """Whether the crop is larger than what is left of an image."""
    full = how._target(picture.height, picture.width)
    return how.crop is not None and (how.crop[0] > full[0] or how.crop[1] > full[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_class_is_followed_to_the_pixel_or_refused(name):
    assert len(NAMES) > 200
    if family(name) not in PROCESSORS:
        with pytest.raises(ValueError, match=r"image processors of the type \w+ are not supported"):
            hugging_face_keys({"image_processor_type": name})
        return
    kind, followed = auto.get_image_processor_class_from_name(name), 0
    most, mean = (2.01, 0.3) if name.endswith("Pil") else (5.01, 0.6)  # of 255 levels
    for change in CHANGES:
        config = {"image_processor_type": name, **json.loads(json.dumps(change))}
        try:
            ours = Preprocessing.from_keys(hugging_face_keys(config), where=name)
        except ValueError:
            continue
        if change.get("resample") in (0, 4, 5) and not name.endswith("Pil"):
            continue  # torchvision has none of these filters, or another one of the name
        processor = kind(**change)
        step = ours.scale / min(ours.std)
        for picture in IMAGES if ours.shorter == 50 else IMAGES[:3]:
            if pads(ours, picture) and name.endswith("Pil"):
                continue  # the odd pixel of padding is on the other side
            try:
                theirs = made(processor, picture)
            except TypeError:  # DINOv3 cannot normalise whole numbers
                assert not change["do_rescale"]
                continue
            pixels = ours.apply(np.asarray(picture))
            assert pixels.shape == theirs.shape, change
            apart = np.abs(pixels - theirs) / step
            assert apart.max() <= most, change
            assert apart.mean() <= mean, change
        followed += 1
    assert followed > 15


@pytest.mark.parametrize("name", sorted(PROCESSORS))
def test_a_silent_configuration_is_the_class_default(name):
    processor = auto.get_image_processor_class_from_name(f"{name}ImageProcessor")()
    full = json.loads(json.dumps(processor.to_dict()))
    for ending in ("ImageProcessor", "ImageProcessorFast", "FeatureExtractor"):
        silent = {"feature_extractor_type": name + ending}
        assert hugging_face_keys(silent) == hugging_face_keys(full)
    for key in full.keys() - {"image_processor_type"}:
        less = {other: value for other, value in full.items() if other != key}
        assert hugging_face_keys(less) == hugging_face_keys(full), key


def test_model_types_name_the_processor_that_transformers_takes():
    for model, name in MODELS.items():
        assert REGISTRY[model]["torchvision"] == f"{name}ImageProcessor"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image_processor_type": None}, "does not name its image_processor_type"),
        ({"image_processor_type": ["ViT"]}, "not supported"),
        ({"size": "224"}, "size is 224"),
        ({"size": None}, "size is null"),
        ({"resample": None}, "resample is null"),
        ({"size": True}, "not a number of pixels"),
        ({"size": -3}, "not a number of pixels"),
        ({"size": {"height": 2.5, "width": 3}}, "not a number of pixels"),
        ({"size": {"height": 5, "width": 3, "shortest_edge": 4}}, "not supported"),
        ({"do_resize": "false"}, "neither true nor false"),
        ({"do_pad": True}, "do_pad is not supported"),
        ({"do_center_crop": True}, "crop_size is null"),
        ({"resample": True}, "resample is True"),
        ({"image_processor_type": "DINOv3ViTImageProcessor", "resample": 3}, "resample is 3"),
        ({"resample": 9}, "resample is 9"),
        ({"resample": "bicubic"}, "resample is bicubic"),
        ({"image_mean": [0.5, 0.5]}, "2 numbers for three channels"),
        ({"image_mean": ["a", 0, 0]}, "a is not a number"),
        ({"rescale_factor": {}}, "not a number"),
    ],
)
def test_what_cannot_be_followed_is_refused(change, reason):
    with pytest.raises(ValueError, match=reason):
        hugging_face_keys({"image_processor_type": "ViTImageProcessor", **change})
