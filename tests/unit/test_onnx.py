import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from likelens import open_encoder
from likelens.encoders.onnx_file import read_onnx_file
from likelens.encoders.opening import with_layers
from likelens.values.errors import BadSpec, LikelensWarning

DRAW = np.random.default_rng(7)
WEIGHTS = (DRAW.standard_normal((6, 3, 5, 5)) / 8).astype(np.float32)
HEAD = DRAW.standard_normal((6, 4)).astype(np.float32)
QUIET = "preset=half"


def network(
    path,
    *,
    size=(24, 24),
    batch="N",
    layout="NCHW",
    kind=TensorProto.FLOAT,
    outputs=("features", "logits"),
    inputs=1,
    channels=3,
):
    """A convolution, its mean, and a linear head; the file's path.

    ``outputs`` renames features and logits; three more can be had: ``map``, ``tokens``
    and ``column``, which are the features before and after pooling in other shapes.
    """
    shape = [batch, channels, *size] if layout == "NCHW" else [batch, *size, channels]
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["moved"], perm=[0, 3, 1, 2])
        if layout == "NHWC"
        else helper.make_node("Identity", ["floats"], ["moved"]),
        helper.make_node("Conv", ["moved", "kernel"], ["before"], strides=[3, 3]),
        helper.make_node("Relu", ["before"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["column"]),
        helper.make_node("Flatten", ["column"], ["f"]),
        helper.make_node("MatMul", ["f", "head"], ["l"]),
        helper.make_node("Reshape", ["map", "flat"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("Identity", ["f"], [outputs[0]]),
        helper.make_node("Identity", ["l"], [outputs[1] if len(outputs) > 1 else "unused"]),
    ]
    weights = [
        numpy_helper.from_array(WEIGHTS[:, :channels], "kernel"),
        numpy_helper.from_array(HEAD, "head"),
        numpy_helper.from_array(np.array([0, 6, -1], np.int64), "flat"),
    ]
    values = [helper.make_tensor_value_info("pixels", kind, shape)]
    values += [helper.make_tensor_value_info(f"more{i}", kind, shape) for i in range(1, inputs)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        values,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def photo(height, width, seed=0):
    draw = np.random.default_rng([seed, height, width])
    small = draw.integers(0, 256, (height // 6 + 2, width // 6 + 2, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


PHOTOS = [photo(*size) for size in ((40, 61), (61, 40), (133, 90), (24, 24), (300, 199))]


def plainly(path, output, photos, *, size=24, shorter=27, mean=0.5, std=0.5, nhwc=False):
    """The same vectors by Pillow, NumPy and onnxruntime alone."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rows = []
    for pixels in photos:
        picture = Image.fromarray(pixels)
        width, height = picture.size
        if width < height:
            target = (shorter, int(shorter * height / width))
        else:
            target = (int(shorter * width / height), shorter)
        picture = picture.resize(target, Image.Resampling.BILINEAR)
        left, top = round((target[0] - size) / 2), round((target[1] - size) / 2)
        picture = picture.crop((left, top, left + size, top + size))
        values = (np.asarray(picture, np.float32) / 255 - mean) / np.float32(std)
        batch = (values if nhwc else values.transpose(2, 0, 1))[None].astype(np.float32)
        rows.append(session.run([output], {session.get_inputs()[0].name: batch})[0].ravel())
    return np.array(rows)


def cosines(a, b):
    a, b = a.astype(float), b.astype(float)
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


# --- vectors ----------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("batch", ["N", 1, 3])
def test_vectors_equal_the_plain_way(tmp_path, layout, batch):
    path = network(tmp_path / "m.onnx", layout=layout, batch=batch)
    encoder = open_encoder(f"onnx:{path}?{QUIET}")
    assert encoder.dim == 6
    made = encoder.encode(PHOTOS)
    assert made.dtype == np.float32
    if batch != 3:
        expected = plainly(path, "features", PHOTOS, nhwc=layout == "NHWC")
        assert cosines(made, expected).min() > 1 - 1e-6
    loose = network(tmp_path / "loose.onnx", layout=layout)
    np.testing.assert_allclose(
        made, open_encoder(f"onnx:{loose}?{QUIET}").encode(PHOTOS), atol=1e-5
    )


def test_imagenet_is_the_preset_and_said_when_nothing_is(tmp_path):
    path = network(tmp_path / "m.onnx")
    with pytest.warns(LikelensWarning, match=r"nothing states resize, mean, std .*\?preset="):
        encoder = open_encoder(f"onnx:{path}")
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    expected = plainly(path, "features", PHOTOS, mean=mean, std=std)
    assert cosines(encoder.encode(PHOTOS), expected).min() > 1 - 1e-6


def test_pixels_as_they_are(tmp_path):
    path = network(tmp_path / "m.onnx", kind=TensorProto.UINT8, layout="NHWC")
    encoder = open_encoder(f"onnx:{path}?preset=raw")
    loose = network(tmp_path / "loose.onnx", layout="NHWC")
    expected = plainly(loose, "features", PHOTOS, mean=0, std=1 / 255, nhwc=True)
    assert cosines(encoder.encode(PHOTOS), expected).min() > 1 - 1e-6
    with pytest.warns(LikelensWarning, match="resize"):
        open_encoder(f"onnx:{path}")
    with pytest.raises(BadSpec, match="nothing can be normalised"):
        open_encoder(f"onnx:{path}?preset=half")


def test_half_precision_input(tmp_path):
    path = network(tmp_path / "m.onnx", kind=TensorProto.FLOAT16)
    encoder = open_encoder(f"onnx:{path}?{QUIET}")
    loose = network(tmp_path / "loose.onnx")
    expected = plainly(loose, "features", PHOTOS)
    assert cosines(encoder.encode(PHOTOS), expected).min() > 1 - 1e-6


def test_the_order_of_channels_is_heard(tmp_path):
    path = network(tmp_path / "m.onnx")
    turned = open_encoder(f"onnx:{path}?{QUIET}&channels=BGR").encode(PHOTOS)
    expected = plainly(path, "features", [pixels[:, :, ::-1] for pixels in PHOTOS])
    assert cosines(turned, expected).min() > 1 - 1e-6
    assert cosines(turned, plainly(path, "features", PHOTOS)).min() < 0.9999


def test_a_size_that_the_file_leaves_open_must_be_stated(tmp_path):
    path = network(tmp_path / "m.onnx", size=("H", "W"))
    with pytest.raises(BadSpec, match="any size, and none is stated"):
        open_encoder(f"onnx:{path}?{QUIET}")
    encoder = open_encoder(f"onnx:{path}?{QUIET}&size=24")
    assert cosines(encoder.encode(PHOTOS), plainly(path, "features", PHOTOS)).min() > 1 - 1e-6
    wide = open_encoder(f"onnx:{path}?{QUIET}&resize=squash:20x30")
    assert wide.prepare(PHOTOS[0]).shape == (20, 30, 3)


def test_one_picture_many_threads_and_neighbours_give_one_vector(tmp_path):
    encoder = open_encoder(f"onnx:{network(tmp_path / 'm.onnx', batch=2)}?{QUIET}")
    alone = np.concatenate([encoder.encode([pixels]) for pixels in PHOTOS])
    np.testing.assert_allclose(encoder.encode(PHOTOS), alone, atol=1e-6)
    with ThreadPoolExecutor(4) as pool:
        many = list(pool.map(lambda pixels: encoder.encode([pixels])[0], PHOTOS * 5))
    np.testing.assert_array_equal(many, np.tile(alone, (5, 1)))


# --- outputs ----------------------------------------------------------------------


def test_layers_are_outputs_or_their_usual_names(tmp_path):
    path = network(tmp_path / "m.onnx")
    for layer, output in (
        ("", "features"), ("@penultimate", "features"), ("@features", "features"),
        ("@output", "logits"), ("@logits", "logits"),
    ):  # fmt: skip
        encoder = open_encoder(f"onnx:{path}{layer}?{QUIET}")
        assert encoder.card.details["output"] == output
        assert cosines(encoder.encode(PHOTOS), plainly(path, output, PHOTOS)).min() > 1 - 1e-6
    assert encoder.layers == ("penultimate", "output")


def test_a_wrong_output_lists_those_there_are(tmp_path):
    path = network(tmp_path / "m.onnx")
    with pytest.raises(BadSpec, match=r"no output 'embeds'; the file has features \[.*, logits \["):
        open_encoder(f"onnx:{path}@embeds?{QUIET}")


def test_an_only_output_needs_no_name(tmp_path):
    path = network(tmp_path / "m.onnx", outputs=("whatever",))
    for layer in ("", "@penultimate", "@output", "@whatever"):
        assert open_encoder(f"onnx:{path}{layer}?{QUIET}").card.details["output"] == "whatever"
    assert open_encoder(f"onnx:{path}?{QUIET}").layers == ()


def test_outputs_without_usual_names_must_be_chosen(tmp_path):
    path = network(tmp_path / "m.onnx", outputs=("a", "b"))
    for layer in ("penultimate", "output"):
        with pytest.raises(BadSpec, match=rf"which output is '{layer}' is not clear.*a \[.*b \["):
            open_encoder(f"onnx:{path}@{layer}?{QUIET}")
    assert open_encoder(f"onnx:{path}@b?{QUIET}").dim == 4


def test_asking_for_layers_gives_those_of_encoders_that_have_them(tmp_path):
    both = f"onnx:{network(tmp_path / 'both.onnx')}"
    asked = ["output", "penultimate"]
    specs = [f"{both}?{QUIET}", f"{both}@logits?{QUIET}", "opencv:colour"]
    assert [str(one.spec) for one in with_layers(specs, asked)] == [
        f"{both}@output?{QUIET}", f"{both}@penultimate?{QUIET}", *specs[1:]
    ]  # fmt: skip
    [alone] = with_layers(specs[:1], ["output"])
    assert str(alone.spec) == f"{both}@output?{QUIET}"
    lost = "checkpoint:nowhere.pth?arch=timm:resnet18"
    assert with_layers([lost, specs[0]], ["output"])[0] == lost  # told of later
    with pytest.raises(BadSpec, match="no encoder has the layers output and penultimate"):
        with_layers(specs[1:], asked)


def test_maps_and_tokens_are_pooled_when_asked(tmp_path):
    path = network(tmp_path / "m.onnx", outputs=("features", "logits", "map", "tokens", "column"))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    encoder = open_encoder(f"onnx:{path}@map?{QUIET}&pool=avg")
    batch = np.stack([encoder.preprocessing.apply(pixels) for pixels in PHOTOS])
    maps, tokens = session.run(["map", "tokens"], {"pixels": batch})
    wanted = {
        "map?pool=avg": maps.mean((2, 3)),
        "map?pool=max": maps.max((2, 3)),
        "tokens?pool=avg": tokens.mean(1),
        "tokens?pool=max": tokens.max(1),
        "tokens?pool=cls": tokens[:, 0],
        "column?pool=max": maps.mean((2, 3)),
        "features?pool=max": maps.mean((2, 3)),
    }
    for layer, expected in wanted.items():
        made = open_encoder(f"onnx:{path}@{layer}&{QUIET}").encode(PHOTOS)
        np.testing.assert_allclose(made, expected, atol=1e-5)
    column = open_encoder(f"onnx:{path}@column?{QUIET}").encode(PHOTOS)
    np.testing.assert_allclose(column, maps.mean((2, 3)), atol=1e-5)
    for layer in ("map", "tokens"):
        with pytest.raises(BadSpec, match=r"the output has 49 vectors of 6 .*"):
            open_encoder(f"onnx:{path}@{layer}?{QUIET}")
    with pytest.raises(BadSpec, match="49 vectors"):
        open_encoder(f"onnx:{path}@map?{QUIET}&pool=cls")
    with pytest.raises(BadSpec, match="one of avg, max, cls"):
        open_encoder(f"onnx:{path}@map?{QUIET}&pool=sum")


# --- the card ---------------------------------------------------------------------


def test_the_card_tells_what_decides_the_vectors(tmp_path):
    path = network(tmp_path / "m.onnx")
    card = open_encoder(f"onnx:{path}?{QUIET}").card
    assert card.name == f"onnx:{path}?{QUIET}"
    assert card.dim == 6
    assert card.parameters == WEIGHTS.size + HEAD.size
    assert card.size_bytes == path.stat().st_size
    assert card.accuracy is None
    assert card.preprocessing.startswith("resize=shorter:27;crop=center:24;")
    assert card.details["file"] == "m.onnx"
    assert "logits [" in card.details["outputs"]


def test_the_fingerprint_covers_all_that_decides_the_vectors(tmp_path):
    path = network(tmp_path / "a.onnx")
    same = network(tmp_path / "elsewhere" / "b.onnx")
    marks = [open_encoder(f"onnx:{file}?{QUIET}").fingerprint for file in (path, path, same)]
    assert len(set(marks)) == 1
    more = network(tmp_path / "more.onnx", outputs=("features", "logits", "map"))
    specs = [
        f"{path}?{QUIET}", f"{path}@logits?{QUIET}", f"{path}?preset=unit", f"{path}?{QUIET}&resize=squash",
        f"{path}?{QUIET}&interpolation=bicubic", f"{path}?{QUIET}&channels=BGR", f"{more}?{QUIET}",
        f"{more}@map?{QUIET}&pool=avg", f"{more}@map?{QUIET}&pool=max",
    ]  # fmt: skip
    marks = [open_encoder(f"onnx:{spec}").fingerprint for spec in specs]
    assert len(set(marks)) == len(marks)


def test_weights_in_another_file_count(tmp_path):
    path = network(tmp_path / "m.onnx")
    model = onnx.load(path)
    for tensor in model.graph.initializer:  # shapes have to stay inside
        if tensor.data_type == TensorProto.FLOAT:
            onnx.external_data_helper.set_external_data(tensor, "outer.bin")
    whole = read_onnx_file(path)
    outer = tmp_path / "outer.onnx"
    onnx.save(model, outer)
    split = read_onnx_file(outer)
    assert split.parameters == whole.parameters
    assert split.size_bytes == outer.stat().st_size + (tmp_path / "outer.bin").stat().st_size
    before = open_encoder(f"onnx:{outer}?{QUIET}")
    expected = open_encoder(f"onnx:{path}?{QUIET}").encode(PHOTOS)
    np.testing.assert_array_equal(before.encode(PHOTOS), expected)
    data = bytearray((tmp_path / "outer.bin").read_bytes())
    data[2] ^= 1
    (tmp_path / "outer.bin").write_bytes(data)
    assert open_encoder(f"onnx:{outer}?{QUIET}").fingerprint != before.fingerprint


@pytest.mark.parametrize("elsewhere", ["../secret.bin", "{root}/secret.bin"])
def test_weights_outside_the_folder_are_not_read(tmp_path, elsewhere):
    model = onnx.load(network(tmp_path / "m.onnx"))
    place = elsewhere.format(root=tmp_path)
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            onnx.external_data_helper.set_external_data(tensor, place)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"0" * 4096)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BadSpec, match=r"outside its folder: .*secret\.bin"):
        open_encoder(f"onnx:{folder / 'm.onnx'}?{QUIET}")


def test_side_files_are_found_by_path(tmp_path):
    path = network(tmp_path / "m.onnx")
    (tmp_path / "models.csv").write_text(
        "file,preprocessing,imagenet_acc1,licence\n"
        "m.onnx,resize=shorter:27;crop=center:24;mean=0.5;std=0.5,~71.5,MIT\n"
    )
    card = open_encoder(f"onnx:{path}").card
    assert "mean=0.5 0.5 0.5" in card.preprocessing
    assert card.accuracy == 71.5
    assert card.details["accuracy_is_approximate"] is True
    assert card.details["licence"] == "MIT"
    (tmp_path / "m.toml").write_text('preset = "unit"\npool = "avg"\n')
    card = open_encoder(f"onnx:{path}").card
    assert card.details["preprocessing_from"] == "m.toml"
    assert "mean=0 0 0" in card.preprocessing


# --- wrong use --------------------------------------------------------------------


def test_an_at_sign_in_a_name_is_no_layer(tmp_path):
    path = network(tmp_path / "shop@home" / "m@2.onnx")
    assert open_encoder(f"onnx:{path}?{QUIET}").dim == 6
    assert open_encoder(f"onnx:{path}@logits?{QUIET}").dim == 4


def test_files_that_are_no_models(tmp_path):
    text, empty = tmp_path / "text.onnx", tmp_path / "empty.onnx"
    text.write_text("this is not a model")
    empty.touch()
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(network(tmp_path / "m.onnx").read_bytes()[:300])
    for name, reason in {
        tmp_path / "none.onnx": "no such file",
        tmp_path: "a folder, not an ONNX file",
        empty: "the file is empty",
        text: "onnxruntime cannot load this file",
        cut: "onnxruntime cannot load this file",
    }.items():
        with pytest.raises(BadSpec, match=reason) as caught:
            open_encoder(f"onnx:{name}")
        assert "\n" not in caught.value.what
        assert "ONNXRuntimeError" not in caught.value.what
        assert caught.value.what.count(str(name)) == 0


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"inputs": 2}, r"one batch of pictures, not: pixels \[N, 3, 24, 24\] float, more1 \["),
        ({"kind": TensorProto.DOUBLE}, r"not: pixels \[N, 3, 24, 24\] double"),
        ({"channels": 1}, "no pictures of three channels"),
    ],
)
def test_inputs_that_take_no_pictures(tmp_path, keys, reason):
    path = network(tmp_path / "m.onnx", **keys)
    with pytest.raises(BadSpec, match=reason):
        open_encoder(f"onnx:{path}?{QUIET}")


def test_a_model_that_fails_on_a_picture_is_refused(tmp_path):
    path = network(tmp_path / "m.onnx", size=("H", "W"))
    with pytest.raises(BadSpec, match="cannot run on an image") as caught:
        open_encoder(f"onnx:{path}?{QUIET}&size=3")
    what = caught.value.what
    assert not re.search(r"ONNXRuntimeError|Status|Non-zero|\.(h|cc):|Name:''", what), what
    assert re.search(r"image: \w+ node\. \w+", what), what


def test_options_that_do_not_fit(tmp_path):
    path = network(tmp_path / "m.onnx")
    for option, reason in {
        "presets=half": "no option 'presets'",
        "size=30": "takes 24 x 24 pixels, the preprocessing gives 30 x 30",
        "mean=a": "mean=a is not a number",
        "layout=NHWC": "input is NCHW, not NHWC",
    }.items():
        with pytest.raises(BadSpec, match=reason):
            open_encoder(f"onnx:{path}?{option}")


# --- real models ------------------------------------------------------------------


def test_the_weights_work_by_path_and_equal_the_plain_way(real_data):
    models = sorted((real_data / "weights").glob("*.onnx"))
    assert len(models) == 5
    files = sorted((real_data / "data" / "caltech101").glob("*/image_0011.jpg"))[::12]
    files += sorted((real_data / "data" / "fashion-products" / "images").glob("*.jpg"))[:3]
    photos = []
    for file in files:
        with Image.open(file) as picture:
            photos.append(np.asarray(picture.convert("RGB")))
    for model in models:
        encoder = open_encoder(f"onnx:{model}")
        assert encoder.layers == ("penultimate", "output")
        size = encoder.preprocessing.size[0]
        expected = plainly(
            model, "features", photos, size=size, shorter=encoder.preprocessing.shorter
        )
        assert cosines(encoder.encode(files), expected).min() > 1 - 1e-6
        assert encoder.card.accuracy > 39
        assert encoder.card.parameters > 400_000
