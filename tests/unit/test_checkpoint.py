"""Files of weights in an architecture, as training programs write them."""

import csv
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from likelens import open_encoder
from likelens.encoders.checkpoint import fit_names, write_checkpoint
from likelens.encoders.torch_load import need_library
from likelens.values.errors import BadSpec, NoWeights
from likelens.values.spec import Spec

torch.set_num_threads(1)  # networks this small only wait for a second thread
ANY = Spec.parse("checkpoint:any")
timm = need_library("timm", ANY)
models = need_library("torchvision.models", ANY)
files = need_library("safetensors.torch", ANY)
ARCH = "arch=timm:test_resnet"


def photo(height, width):
    draw = np.random.default_rng([height, width])
    small = draw.integers(0, 256, (height // 6 + 2, width // 6 + 2, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


PHOTOS = [photo(*size) for size in ((40, 61), (231, 140), (133, 301))]


def cosines(a, b):
    a, b = np.asarray(a, float), np.asarray(b, float)
    assert a.shape == b.shape
    return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


@pytest.fixture(scope="module")
def trained():
    """A small network whose values differ from any that the sources would draw."""
    torch.manual_seed(41)
    return timm.create_model("test_resnet", num_classes=7).eval()


@pytest.fixture(scope="module")
def expected(trained):
    """What the network itself makes of the photos: pre-logits and logits."""
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=trained))
    with torch.inference_mode():
        seen = [trained.forward_features(transform(one)[None]) for one in PHOTOS]
        before = torch.cat([trained.forward_head(one, pre_logits=True) for one in seen])
        return before.numpy(), trained.get_classifier()(before).numpy()


def state(trained):
    return {name: one.clone() for name, one in trained.state_dict().items()}


def test_another_number_of_classes_is_read_from_the_file(tmp_path, trained, expected):
    files.save_file(state(trained), tmp_path / "m.safetensors")
    encoder = open_encoder(f"checkpoint:{tmp_path}/m.safetensors?{ARCH}")
    assert cosines(encoder.encode(PHOTOS), expected[0]).min() > 0.9999
    output = open_encoder(f"checkpoint:{tmp_path}/m.safetensors@output?{ARCH}")
    assert output.dim == 7
    assert cosines(output.encode(PHOTOS), expected[1]).min() > 0.9999
    assert encoder.layers == ("penultimate", "output")
    assert encoder.card.details["missing"] == encoder.card.details["unexpected"] == ""
    assert encoder.card.details["weights"] == "m.safetensors"
    assert encoder.card.details["architecture"] == "timm:test_resnet"
    assert "classes=7" not in encoder.card.name


def test_a_convolution_that_classifies_takes_other_classes_too(tmp_path):
    torch.manual_seed(42)
    net = models.squeezenet1_1(num_classes=5).eval()
    torch.save(net.state_dict(), tmp_path / "m.pth")
    output = open_encoder(f"checkpoint:{tmp_path}/m.pth@output?arch=torchvision:squeezenet1_1")
    assert output.dim == 5
    transform = models.SqueezeNet1_1_Weights.DEFAULT.transforms()
    with torch.inference_mode():
        own = torch.cat([net(transform(one)[None]) for one in PHOTOS])
    np.testing.assert_allclose(output.encode(PHOTOS), own, atol=1e-3)


WRITTEN = {
    "plain": lambda s: s,
    "module.": lambda s: prefixed(s, "module."),
    "backbone.": lambda s: prefixed(s, "backbone."),
    "encoder_q.": lambda s: prefixed(s, "encoder_q."),
    "_orig_mod.module.": lambda s: prefixed(s, "_orig_mod.module."),
    "moco": lambda s: {
        "epoch": 200,
        "arch": "resnet",
        "state_dict": {
            **prefixed(
                {name: torch.zeros_like(one) for name, one in s.items()}, "module.encoder_k."
            ),
            **prefixed(s, "module.encoder_q."),
            "module.queue": torch.rand(8, 9),
        },
    },
    "teacher": lambda s: {
        "student": prefixed({name: one * 0 for name, one in s.items()}, "module.backbone."),
        "teacher": prefixed(s, "module.backbone."),
    },
    "nested": lambda s: {"model": {"state_dict": s}, "optimizer": {"state": {}, "lr": 0.1}},
}


def prefixed(values, prefix):
    return {prefix + name: one for name, one in values.items()}


@pytest.mark.parametrize("form", WRITTEN)
def test_what_training_programs_write_around_the_values(tmp_path, trained, expected, form):
    torch.save(WRITTEN[form](state(trained)), tmp_path / "m.pth")
    encoder = open_encoder(f"checkpoint:{tmp_path}/m.pth?{ARCH}")
    assert cosines(encoder.encode(PHOTOS), expected[0]).min() > 0.9999
    assert encoder.card.details["missing"] == ""
    unexpected = encoder.card.details["unexpected"]
    assert ("module.encoder_k." in unexpected) == (form == "moco")
    assert bool(unexpected) == (form == "moco")


def test_a_missing_classifier_is_no_fault(tmp_path, trained, expected):
    head = [name for name in state(trained) if name.startswith("fc.")]
    kept = {name: one for name, one in state(trained).items() if name not in head}
    torch.save(
        {**prefixed(kept, "backbone."), "projector.0.weight": torch.rand(3, 3)}, tmp_path / "m.pth"
    )
    encoder = open_encoder(f"checkpoint:{tmp_path}/m.pth?{ARCH}")
    assert cosines(encoder.encode(PHOTOS), expected[0]).min() > 0.9999
    assert encoder.layers == ("penultimate",)
    assert encoder.card.details["missing"] == ", ".join(head)
    assert encoder.card.details["unexpected"] == "projector.0.weight"
    with pytest.raises(BadSpec, match="no layer 'output'"):
        open_encoder(f"checkpoint:{tmp_path}/m.pth@output?{ARCH}")
    assert open_encoder(f"checkpoint:{tmp_path}/m.pth?{ARCH}").fingerprint == encoder.fingerprint


def test_more_than_the_classifier_missing_is_refused(tmp_path, trained):
    kept = {name: one for name, one in state(trained).items() if not name.startswith("layer3.")}
    torch.save({**kept, "stranger": torch.rand(2)}, tmp_path / "m.pth")
    with pytest.raises(
        NoWeights,
        match=r"more than the classifier is missing: layer3\..*unknown to the network: stranger",
    ):
        open_encoder(f"checkpoint:{tmp_path}/m.pth?{ARCH}")
    with pytest.raises(NoWeights, match=r"fills 0 of the network's .*\n.*\n.*\?arch="):
        open_encoder(f"checkpoint:{tmp_path}/m.pth?arch=timm:test_vit")


def test_other_weights_have_another_fingerprint(tmp_path, trained):
    marks = set()
    for step in range(2):
        values = state(trained)
        values["fc.bias"][0] += step
        torch.save(values, tmp_path / f"{step}.pth")
        marks.add(open_encoder(f"checkpoint:{tmp_path}/{step}.pth?{ARCH}").fingerprint)
    assert len(marks) == 2


def test_names_are_fitted_whole():
    wanted = dict.fromkeys(("conv.weight", "fc.weight"), 0)
    assert fit_names({"conv.weight": 1, "fc.weight": 2}, wanted) == {
        "conv.weight": 1,
        "fc.weight": 2,
    }
    mixed = {"module.conv.weight": 1, "module.fc.weight": 2, "conv.weight": 3}
    assert fit_names(mixed, wanted)["fc.weight"] == 2
    assert fit_names({"other": 1}, wanted) == {"other": 1}


# --- preprocessing ----------------------------------------------------------------


def test_stated_preprocessing_is_completed_by_the_usual_one(tmp_path, trained):
    path = tmp_path / "m.pth"
    torch.save(state(trained), path)

    def says(rest=""):
        return open_encoder(f"checkpoint:{path}?{ARCH}{rest}").preprocessing

    usual = says()
    assert usual.startswith("resize=shorter:168;crop=center:160;interpolation=bilinear")
    assert "mean=0.5 0.5 0.5;std=0.5 0.5 0.5" in usual
    assert says("&size=80") == usual.replace("168", "84").replace("160", "80")
    assert says("&mean=0.1") == usual.replace("mean=0.5 0.5 0.5", "mean=0.1 0.1 0.1")
    squashed = says("&resize=squash:96")
    assert squashed == usual.replace("shorter:168", "squash:96").replace("center:160", "none")
    assert "mean=0.485" in says("&preset=imagenet")
    path.with_suffix(".toml").write_text('interpolation = "bicubic"\nsize = 96\n')
    assert says() == usual.replace("bilinear", "bicubic").replace("168", "101").replace("160", "96")
    assert says("&interpolation=bilinear&size=160") == usual
    made = open_encoder(f"checkpoint:{path}?{ARCH}&channels=BGR&resize=squash:64")
    turned = [
        np.asarray(one.resize((64, 64), Image.Resampling.BICUBIC))[:, :, ::-1] for one in PHOTOS
    ]
    batch = (torch.from_numpy(np.stack(turned)).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.inference_mode():
        own = trained.forward_head(trained.forward_features(batch), pre_logits=True)
    assert cosines(made.encode(PHOTOS), own).min() > 0.9999


# --- files that are not what they seem --------------------------------------------


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


@pytest.mark.parametrize("name", ["m.pth", "m.safetensors", "m.bin"])
@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_file_is_not_run(tmp_path, trained, name, how):
    mark, path = tmp_path / "it ran", tmp_path / name
    values = {**state(trained), "trap": Trap(mark)}
    if how == "torch":
        torch.save(values, path)
    else:
        path.write_bytes(pickle.dumps(values))
    with pytest.raises(NoWeights) as caught:
        open_encoder(f"checkpoint:{path}?{ARCH}")
    assert not mark.exists()
    assert "\n" not in caught.value.what
    if path.suffix == ".pth":
        assert caught.value.what == "the file holds code, not only tensors"
        assert "never load" in caught.value.hint


def test_damaged_files(tmp_path, trained):
    whole, cut = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    files.save_file(state(trained), whole)
    cut.write_bytes(whole.read_bytes()[:-1000])
    torch.save(state(trained), tmp_path / "whole.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:-1000])
    (tmp_path / "empty.pth").touch()
    (tmp_path / "text.pth").write_text("these are not the weights")
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    for name, reason in {
        "cut.safetensors": "it cannot be read: ",
        "cut.pth": "it cannot be read: ",
        "empty.pth": "it cannot be read: ",
        "text.pth": "it cannot be read: ",
        "none.pth": "there are no tensors in the file",
    }.items():
        with pytest.raises(NoWeights, match=reason) as caught:
            open_encoder(f"checkpoint:{tmp_path / name}?{ARCH}")
        assert "\n" not in caught.value.what


def test_wrong_use(tmp_path):
    path = tmp_path / "m.pth"
    with pytest.raises(NoWeights, match="no such file"):
        open_encoder(f"checkpoint:{path}?{ARCH}")
    torch.save({"a": torch.rand(2)}, path)
    for rest, reason in {
        "": "no architecture is named",
        "?arch=hf:some/where": "no architecture of torchvision or timm",
        "?arch=timm:test_resnot": "did you mean test_resnet",
        "?arch=torchvision:resnet5": "did you mean resnet50",
        "?arch=torchvision:resnet18?seed=1": "no option 'seed'",
        f"?{ARCH}&weights=none": "no option 'weights'",
        f"?{ARCH}?dtype=int8": rf"before arch: checkpoint:{path}\?dtype=int8&{ARCH}$",
        f"@fc?mean=0.5&{ARCH}?bits=1.58&size=64&dtype=int8": rf"write it before arch: "
        rf"checkpoint:{path}@fc\?mean=0.5&dtype=int8&size=64&{ARCH}\?bits=1.58$",
    }.items():
        with pytest.raises(BadSpec, match=reason):
            open_encoder(f"checkpoint:{path}{rest}")


# --- real files -------------------------------------------------------------------


def photos_of(real_data):
    found = sorted((real_data / "data" / "caltech101").glob("*/image_0011.jpg"))[::24]
    pictures = []
    for file in found:
        with Image.open(file) as picture:
            pictures.append(picture.convert("RGB"))
    return pictures


def by_table(real_data, name, picture):
    """A picture prepared as the table beside the file says, by Pillow and numpy alone."""
    with (real_data / "weights" / "models.csv").open() as lines:
        row = next(row for row in csv.DictReader(lines) if row["name"] == name)
    keys = dict(part.split("=") for part in row["preprocessing"].split(";"))
    kind, side = keys["resize"].split(":")
    side, (width, height) = int(side), picture.size
    if kind == "squash":
        target = (side, side)
    elif width < height:
        target = (side, int(side * height / width))
    else:
        target = (int(side * width / height), side)
    picture = picture.resize(target, Image.Resampling.BILINEAR)
    if keys["crop"] != "none":
        cut = int(keys["crop"].split(":")[1])
        left, top = round((target[0] - cut) / 2), round((target[1] - cut) / 2)
        picture = picture.crop((left, top, left + cut, top + cut))
    mean, std = ([float(one) for one in keys[key].split()] for key in ("mean", "std"))
    values = (np.asarray(picture, np.float32) / 255 - mean) / std
    return torch.from_numpy(values.transpose(2, 0, 1).astype(np.float32))[None]


def test_the_file_for_timm_equals_its_own_loading(real_data):
    name = "mobilenetv2_100.imagenet"
    path = real_data / "weights" / f"{name}.safetensors"
    arch = "arch=timm:mobilenetv2_100?pad_type=same"
    encoder = open_encoder(f"checkpoint:{path}?{arch}")
    net = timm.create_model("mobilenetv2_100", pad_type="same").eval()
    net.load_state_dict(files.load_file(path))
    photos = photos_of(real_data)
    with torch.inference_mode():
        batches = [by_table(real_data, name, one) for one in photos]
        own = torch.cat(
            [net.forward_head(net.forward_features(b), pre_logits=True) for b in batches]
        )
        logits = torch.cat([net(batch) for batch in batches])
    assert cosines(encoder.encode(photos), own).min() > 0.9999
    output = open_encoder(f"checkpoint:{path}@output?{arch}")
    assert cosines(output.encode(photos), logits).min() > 0.9999
    assert encoder.card.accuracy == 70.8
    assert encoder.card.details["licence"] == "Apache-2.0"


def test_the_file_for_torchvision_equals_its_own_loading(real_data):
    name = "squeezenet1_0.imagenet"
    path = real_data / "weights" / f"{name}.safetensors"
    encoder = open_encoder(f"checkpoint:{path}?arch=torchvision:squeezenet1_0")
    net = models.squeezenet1_0().eval()
    net.load_state_dict(files.load_file(path))
    photos = photos_of(real_data)
    with torch.inference_mode():
        own = torch.cat(
            [net.features(by_table(real_data, name, one)).mean((2, 3)) for one in photos]
        )
    assert cosines(encoder.encode(photos), own).min() > 0.9999
    assert encoder.dim == 512


def test_a_layer_of_a_classifier_that_is_not_in_the_file_is_refused(tmp_path, trained):
    values = {name: one for name, one in state(trained).items() if not name.startswith("fc.")}
    torch.save(values, tmp_path / "headless.pth")
    with pytest.raises(BadSpec, match="no values for the classifier, which is @fc"):
        open_encoder(f"checkpoint:{tmp_path / 'headless.pth'}@fc?arch=timm:test_resnet")


def test_ternary_weights_need_a_ternary_network(tmp_path):
    file = tmp_path / "packed.safetensors"
    write_checkpoint(open_encoder("timm:test_vit?bits=1.58&weights=none").net.module, file)
    with pytest.raises(NoWeights, match="weights are ternary, and the network's layers are not"):
        open_encoder(f"checkpoint:{file}?arch=timm:test_vit")
    card = open_encoder(f"checkpoint:{file}?arch=timm:test_vit?bits=1.58").card
    assert card.details["unexpected"] == ""


def test_tied_weights_are_written_once_each_and_read_back(tmp_path):
    module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    module[1].weight = module[0].weight
    module.register_buffer("first", module[0].weight.detach()[0])  # a part of the same memory
    write_checkpoint(module, tmp_path / "tied.safetensors")
    read = files.load_file(tmp_path / "tied.safetensors")
    assert set(read) == set(module.state_dict())
    for name, value in module.state_dict().items():
        assert torch.equal(read[name], value)
