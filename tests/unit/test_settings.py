import json

import pytest

from likelens.encoders.preprocessing import Preprocessing
from likelens.encoders.settings import OPTIONS, PRESETS, read_side, settle
from likelens.values.errors import BadSpec, EncoderFailed, LikelensWarning

VIT = {"image_processor_type": "ViTImageProcessor", "size": 64}


def settled(options=None, side=None, size=None, layout=None, **more):
    return settle(options or {}, side or {}, size=size, layout=layout, where="onnx:m.onnx", **more)


def made(*args, **keys):
    return settled(*args, **keys)[0]


# --- what counts ------------------------------------------------------------------


def test_nothing_stated_is_imagenet_and_said_so():
    how, assumed = settled(size=(224, 224))
    assert str(how).startswith("resize=shorter:256;crop=center:224;interpolation=bilinear")
    assert (how.mean, how.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert assumed == ("resize", "mean", "std")


def test_a_preset_is_no_assumption():
    for name in PRESETS:
        how, assumed = settled({"preset": name}, size=(128, 128))
        assert assumed == ()
        assert how.size == (128, 128)
    assert made({"preset": "half"}, size=(128, 128)).shorter == 146
    assert made({"preset": "clip"}, size=(224, 224)).shorter == 224
    assert made({"preset": "clip"}, size=(224, 224)).interpolation == "bicubic"
    siglip = made({"preset": "siglip"}, size=(384, 384))
    assert (siglip.squash, siglip.crop) == ((384, 384), None)
    assert made({"preset": "unit"}, size=(8, 8)).scale == 1 / 255
    assert made({"preset": "raw"}, size=(8, 8)).scale == 1
    with pytest.raises(BadSpec, match="no preset 'caffe'"):
        made({"preset": "caffe"}, size=(8, 8))


def test_options_count_before_the_side_file_and_that_before_the_preset():
    side = {"resize": "shorter:40", "crop": "center:32", "mean": "0.1", "std": "0.2"}
    how, assumed = settled({"mean": "0.3"}, side, size=(32, 32))
    assert (how.shorter, how.mean[0], how.std[0]) == (40, 0.3, 0.2)
    assert assumed == ()
    assert made({"preset": "half"}, side, size=(32, 32)).mean[0] == 0.5
    assert settled({}, {"mean": "0.1", "std": "1"}, size=(32, 32))[1] == ("resize",)
    assert made({}, {"preset": "clip"}, size=(32, 32)).shorter == 32


def test_resize_alone_takes_the_crop_from_the_size():
    assert made({"resize": "shorter:40"}, size=(32, 32)).crop == (32, 32)
    assert made({"resize": "squash"}, size=(32, 24)).squash == (32, 24)
    assert made({"resize": "squash"}, size=(32, 24)).crop is None
    assert made({"resize": "none"}, size=(32, 32)).crop == (32, 32)
    assert made({"resize": "none", "crop": "17"}).size == (17, 17)
    assert made({"crop": "112"}).shorter == 128
    assert made({"size": "112"}).shorter == 128
    assert made({"size": "96", "resize": "shorter:100"}).crop == (96, 96)


def test_size_scales_what_a_side_file_says():
    side = {"resize": "shorter:256", "crop": "center:224"}
    how = made({"size": "112"}, side)
    assert (how.shorter, how.crop) == (128, (112, 112))
    how = made({"size": "112", "resize": "shorter:120"}, side)
    assert (how.shorter, how.crop) == (120, (224, 224))


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(BadSpec, match="any size, and none is stated"):
        made()
    with pytest.raises(BadSpec, match="any size, and none is stated"):
        made({"resize": "shorter:256"})
    with pytest.raises(BadSpec, match="any size, and none is stated"):
        made({"resize": "squash"})
    with pytest.raises(BadSpec, match="takes 32 x 32 pixels, the preprocessing gives 64 x 64"):
        made({"size": "64"}, size=(32, 32))
    with pytest.raises(BadSpec, match="takes 32 x 32 pixels, the preprocessing gives 16 x 16"):
        made({}, {"resize": "squash:16"}, size=(32, 32))
    with pytest.raises(BadSpec, match="gives any size"):
        made({"resize": "shorter:40", "crop": "none"}, size=(32, 32))
    with pytest.raises(BadSpec, match="size=big is not a number of pixels"):
        made({"size": "big"})


def test_the_layout_of_the_model_is_taken():
    assert made(size=(8, 8), layout="NHWC").layout == "NHWC"
    assert made({"layout": "NHWC"}, size=(8, 8)).layout == "NHWC"
    assert made({"preset": "half"}, size=(8, 8), layout="NHWC").layout == "NHWC"
    with pytest.raises(BadSpec, match="input is NCHW, not NHWC"):
        made({"layout": "NHWC"}, size=(8, 8), layout="NCHW")


# --- files beside the model -------------------------------------------------------


def test_no_file_beside_the_model_says_nothing(tmp_path):
    side = read_side(tmp_path / "m.onnx", OPTIONS)
    assert (side.place, side.keys, side.about) == ("", {}, {})


def test_the_files_beside_a_model_count_in_order(tmp_path):
    model = tmp_path / "m.v2.onnx"
    (tmp_path / "models.csv").write_text(
        "file,preprocessing,imagenet_acc1\nother.onnx,mean=9,1\nm.v2.onnx,mean=4;std=2,~70.5\n"
    )
    side = read_side(model, OPTIONS)
    assert (side.keys, side.about["imagenet_acc1"]) == ({"mean": "4", "std": "2"}, "~70.5")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(VIT))
    assert read_side(model, OPTIONS).keys["resize"] == "squash:64"
    (tmp_path / "m.v2.toml").write_text("mean = [0.1, 0.2, 0.3]\nsize = 64\n")
    side = read_side(model, OPTIONS)
    assert side.keys == {"mean": "0.1 0.2 0.3", "size": "64"}
    assert side.place.endswith("m.v2.toml")
    assert side.about["imagenet_acc1"] == "~70.5"
    (tmp_path / "m.v2.onnx.toml").write_text('preset = "half"\n')
    assert read_side(model, OPTIONS).keys == {"preset": "half"}


@pytest.mark.parametrize("text", ["gamma = 2\n", "mean = {a = 1}\n", "size = true\n", "size = \n"])
def test_a_toml_file_that_cannot_be_used_is_named(tmp_path, text):
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(BadSpec, match=r"options of an ONNX file|cannot be used") as caught:
        read_side(tmp_path / "m.onnx", OPTIONS)
    assert caught.value.where.endswith("m.toml")


def test_a_table_of_another_kind_is_left_alone(tmp_path):
    (tmp_path / "models.csv").write_text("name,price\na,1\n")
    assert read_side(tmp_path / "m.onnx", OPTIONS).keys == {}
    (tmp_path / "models.csv").write_bytes(b"file\n\xff\xfe\n")
    with pytest.raises(BadSpec, match="cannot be used"):
        read_side(tmp_path / "m.onnx", OPTIONS)


def hugging_face(tmp_path, **config):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    keys = read_side(tmp_path / "m.onnx", OPTIONS).keys
    return str(Preprocessing.from_keys(keys, where="here"))


CLIP = {
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": 224},
    "resample": 3,
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 0.00392156862745098,
    "do_normalize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def test_hugging_face_clip(tmp_path):
    assert hugging_face(tmp_path, **CLIP) == (
        "resize=shorter:224;crop=floor:224;interpolation=bicubic;scale=1/255;"
        "mean=0.48145466 0.4578275 0.40821073;std=0.26862954 0.26130258 0.27577711;"
        "channels=RGB;layout=NCHW"
    )
    old = {**CLIP, "size": 224, "crop_size": 224}
    assert hugging_face(tmp_path, **old) == hugging_face(tmp_path, **CLIP)


def test_hugging_face_vit_squashes(tmp_path):
    vit = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 224, "width": 192},
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    text = hugging_face(tmp_path, **vit)
    assert text.startswith("resize=squash:224x192;crop=none;interpolation=bilinear;scale=1/255;")
    assert "mean=0.5 0.5 0.5" in text
    assert "resize=squash:224;" in hugging_face(tmp_path, **{**vit, "size": 224})


def test_hugging_face_convnext(tmp_path):
    keys = {"image_processor_type": "ConvNextImageProcessor", "crop_pct": 0.875}
    text = hugging_face(tmp_path, size={"shortest_edge": 224}, **keys)
    assert text.startswith("resize=shorter:256;crop=floor:224;")
    text = hugging_face(tmp_path, size={"shortest_edge": 384}, **keys)
    assert text.startswith("resize=squash:384;crop=none;")


def test_hugging_face_steps_left_out(tmp_path):
    off = {**CLIP, "do_resize": False, "do_rescale": False, "do_normalize": False}
    text = hugging_face(tmp_path, **off)
    assert text.startswith("resize=none;crop=floor:224;")
    assert "scale=1;mean=0 0 0;std=1 1 1" in text


def test_hugging_face_names_the_usual_crop_where_both_rules_agree(tmp_path):
    for squash, crop, word in ((256, 224, "center"), (40, 37, "floor"), (41, 36, "center")):
        both = {**VIT, "do_center_crop": True, "size": {"height": squash, "width": squash}}
        text = hugging_face(tmp_path, crop_size={"height": crop, "width": crop}, **both)
        assert text.startswith(f"resize=squash:{squash};crop={word}:{crop};")


def test_hugging_face_turns_channels(tmp_path):
    assert "channels=BGR" in hugging_face(tmp_path, image_processor_type="MobileViTImageProcessor")
    assert "channels=RGB" in hugging_face(tmp_path, **CLIP, do_flip_channel_order=True)


def test_hubs_folders(tmp_path):
    """The hub keeps model.onnx in onnx/, and what describes it in the folder above."""
    model = tmp_path / "onnx" / "model.onnx"
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": 64}))
    model.parent.mkdir()
    with pytest.raises(BadSpec, match="does not name its image_processor_type"):
        read_side(model, OPTIONS)
    (tmp_path / "config.json").write_text("\ufeff" + json.dumps({"model_type": "vit"}))
    side = read_side(model, OPTIONS)
    assert (side.keys["resize"], side.place) == (
        "squash:64", str(tmp_path / "preprocessor_config.json")
    )  # fmt: skip
    nested = {"processor_class": "CLIPProcessor", "image_processor": CLIP}
    (tmp_path / "processor_config.json").write_text(json.dumps(nested))
    assert read_side(model, OPTIONS).keys["resize"] == "shorter:224"
    other = tmp_path / "other" / "model.onnx"
    other.parent.mkdir()
    assert read_side(other, OPTIONS).keys == {}


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{", "[]", "\x00", '{"a": ' * 5000 + "1" + "}" * 5000, "nan", " " * 2**21],
)
def test_damaged_descriptions_are_refused_in_a_sentence(tmp_path, text):
    for name in ("preprocessor_config.json", "config.json"):
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(VIT))
        (tmp_path / name).write_text(text)
        with pytest.raises(BadSpec, match="cannot be used") as caught:
            read_side(tmp_path / "m.onnx", OPTIONS)
        assert caught.value.where.endswith(name)


def test_options_keep_the_crop_of_a_side_file():
    side = {"resize": "shorter:256", "crop": "floor:224"}
    assert made({}, side, size=(224, 224)).cut == "floor"
    assert made({"size": "112"}, side).cut == "floor"
    assert made({"crop": "floor:112"}).cut == "floor"
    assert made({"crop": "112"}, side).cut == "center"


@pytest.mark.parametrize(
    "config",
    [
        {},
        {**CLIP, "image_processor_type": "LevitImageProcessor"},
        {"size": {"shortest_edge": 224, "longest_edge": 448}},
        {"size": 224, "do_center_crop": True},
        {"size": 224, "resample": 77},
        [],
    ],
)
def test_hugging_face_that_cannot_be_followed_is_refused(tmp_path, config):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    with pytest.raises(BadSpec, match="cannot be used") as caught:
        read_side(tmp_path / "m.onnx", OPTIONS)
    assert caught.value.where.endswith("preprocessor_config.json")


ROW = "resize=shorter:27;crop=center:24;mean=0.1"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_models_csv_is_read_as_any_table(tmp_path, mark, between):
    lines = (["name", "file", "preprocessing"], ["M", "m.onnx", f'"{ROW}"'], ["", "n.onnx", ""])
    text = "".join(between.join(cells) + "\r\n" for cells in lines)
    (tmp_path / "models.csv").write_text(mark + text, "utf-8")
    assert read_side(tmp_path / "m.onnx", OPTIONS).keys["mean"] == "0.1"
    assert read_side(tmp_path / "n.onnx", OPTIONS).keys == {}


def test_a_model_that_the_table_does_not_list_is_noted(tmp_path):
    (tmp_path / "models.csv").write_text("file,preprocessing\nother.onnx,mean=9\n")
    with pytest.warns(LikelensWarning, match=r"models\.csv beside m\.onnx has no row"):
        assert read_side(tmp_path / "m.onnx", OPTIONS).keys == {}
    (tmp_path / "m.toml").write_text('preset = "half"\n')
    assert read_side(tmp_path / "m.onnx", OPTIONS).keys == {"preset": "half"}


def test_a_row_that_says_nothing_sensible_is_refused(tmp_path):
    (tmp_path / "models.csv").write_text("file,preprocessing\nm.onnx,squash it\n")
    with pytest.raises(EncoderFailed, match="'squash it' has no value") as caught:
        read_side(tmp_path / "m.onnx", OPTIONS)
    assert caught.value.where.endswith("models.csv")
