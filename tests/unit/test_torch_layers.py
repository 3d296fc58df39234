"""Layers of torch networks and their pooling, each against numpy written out."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from likelens.encoders.preprocessing import Preprocessing
from likelens.encoders.running import Running
from likelens.encoders.torch_encoder import TorchEncoder
from likelens.encoders.torch_layers import OUTPUT, Layer, captured, last_layer, pooled
from likelens.encoders.torch_net import Net
from likelens.encoders.torch_pass import Passes
from likelens.values.errors import BadShape, BadSpec
from likelens.values.spec import Spec

torch.set_num_threads(1)  # networks this small only wait for a second thread
SIDE = 12
STATED = Preprocessing(squash=(SIDE, SIDE), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
DRAW = np.random.default_rng(3)
PHOTOS = [DRAW.integers(0, 256, (*size, 3), np.uint8) for size in ((31, 17), (9, 40), (25, 25))]


class Tokens(torch.nn.Module):
    """A class token before the places of a map (n, c, h, w)."""

    def __init__(self, width):
        super().__init__()
        self.cls_token = torch.nn.Parameter(torch.arange(width).float()[None, None])

    def forward(self, x):
        return torch.cat([self.cls_token.expand(len(x), -1, -1), x.flatten(2).mT], 1)


class Tiny(torch.nn.Module):
    """A map, its channels last, tokens, the same tokens-first, a mean, and two heads."""

    def __init__(self, gain=1.0):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 6, 3, stride=3)
        self.last = torch.nn.Identity()
        self.tokens = Tokens(6)
        self.first = torch.nn.Identity()
        self.idle = torch.nn.Linear(2, 2)
        self.pair = torch.nn.LSTM(6, 4, batch_first=True)
        self.head = torch.nn.Linear(6, 4)
        self.other = torch.nn.Linear(6, 4)
        self.gain = gain

    def forward(self, x):
        maps = self.stem(x) * self.gain
        tokens = self.tokens(maps)
        self.last(maps.permute(0, 2, 3, 1))
        self.first(tokens.transpose(0, 1))
        self.pair(tokens)
        return (self.head(maps.mean((2, 3))) + self.other(maps.amax((2, 3)))) / 2


def transform(picture):
    return STATED.apply(np.asarray(picture))


def net(stated=STATED, gain=1.0, **known):
    torch.manual_seed(0)
    named = {"penultimate": Layer(("head", "other"), enters=True), "output": OUTPUT}
    return Net(Tiny(gain).eval(), transform, stated, {**named, **known}, prefix_tokens=1)


def encoder(rest="", **known):
    return TorchEncoder(Spec.parse(f"torch:tiny{rest}"), net(**known))


def values():
    """Map, tokens and logits, computed by torch functions alone."""
    model = net().module
    batch = torch.from_numpy(np.stack([transform(Image.fromarray(photo)) for photo in PHOTOS]))
    with torch.inference_mode():
        maps = torch.nn.functional.conv2d(batch, model.stem.weight, model.stem.bias, stride=3)
        mean, peak = maps.mean((2, 3)), maps.amax((2, 3))
        logits = (model.head(mean) + model.other(peak)) / 2
        pair = model.pair(model.tokens(maps))[0]
    maps = maps.numpy()
    places = maps.reshape(3, 6, -1).transpose(0, 2, 1)
    tokens = np.concatenate([np.tile(np.arange(6.0), (3, 1, 1)), places], 1)
    return maps, tokens, logits.numpy(), pair.numpy()


MAPS, TOKENS, LOGITS, PAIR = values()
PLACES = TOKENS[:, 1:]
GEM = (np.maximum(PLACES, 1e-6) ** 3).mean(1) ** (1 / 3)
EXPECTED = {
    "@output": LOGITS,
    "": (MAPS.mean((2, 3)) + MAPS.max((2, 3))) / 2,
    "@penultimate": (MAPS.mean((2, 3)) + MAPS.max((2, 3))) / 2,
    "@stem": MAPS.mean((2, 3)),
    "@stem?pool=avg": MAPS.mean((2, 3)),
    "@stem?pool=max": MAPS.max((2, 3)),
    "@stem?pool=gem": GEM,
    "@stem?pool=flatten": MAPS.reshape(3, -1),
    "@last": MAPS.mean((2, 3)),
    "@last?pool=avg": MAPS.mean((2, 3)),
    "@last?pool=max": MAPS.max((2, 3)),
    "@last?pool=gem": GEM,
    "@last?pool=flatten": MAPS.transpose(0, 2, 3, 1).reshape(3, -1),
    "@tokens": TOKENS[:, 0],
    "@tokens?pool=cls": TOKENS[:, 0],
    "@tokens?pool=avg": PLACES.mean(1),
    "@tokens?pool=max": PLACES.max(1),
    "@tokens?pool=gem": GEM,
    "@tokens?pool=flatten": TOKENS.reshape(3, -1),
    "@first": TOKENS[:, 0],
    "@first?pool=avg": PLACES.mean(1),
    "@first?pool=max": PLACES.max(1),
    "@pair?pool=avg": PAIR[:, 1:].mean(1),  # the first of what the layer answers
    "@output?pool=flatten": LOGITS,
}


@pytest.mark.parametrize("rest", EXPECTED)
@pytest.mark.parametrize("stated", [STATED, None], ids=["ours", "the library's"])
def test_vectors_equal_numpy_written_out(rest, stated):
    made = encoder(rest, stated=stated)
    assert (made._fast is None) == (stated is None)
    np.testing.assert_allclose(made.encode(PHOTOS), EXPECTED[rest], atol=2e-5)
    assert made.dim == EXPECTED[rest].shape[1]


def test_the_layers_of_one_network_come_from_one_pass():
    several = encoder()
    others = [several.at(Spec.parse(f"torch:tiny{rest}")) for rest in EXPECTED]
    made = several.forward_layers([several.prepare(photo) for photo in PHOTOS], others)
    for rest, vectors in zip(EXPECTED, made, strict=True):
        np.testing.assert_allclose(vectors, EXPECTED[rest], atol=2e-5)
    assert not any(
        one._forward_hooks or one._forward_pre_hooks for one in several.net.module.modules()
    )


def test_heads_that_read_vectors_of_two_lengths_have_them_side_by_side():
    class Wide(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = torch.nn.Linear(2, 3), torch.nn.Linear(4, 3)

        def forward(self, x):
            return self.one(x[:, :2]) + self.two(x[:, :4])

    batch = torch.rand(5, 6)
    found = captured(Wide(), batch, [Layer(("one", "two"), enters=True)])[0]
    np.testing.assert_array_equal(found, torch.cat([batch[:, :2], batch[:, :4]], 1))


def test_without_a_first_token_tokens_are_averaged_and_have_no_class():
    value, spec = torch.rand(2, 5, 3), Spec.parse("torch:tiny")
    np.testing.assert_allclose(pooled(value, 2, "", 0, spec), value.mean(1), atol=1e-6)
    with pytest.raises(BadSpec, match=r"no class token\n.*\n.*pool=avg"):
        pooled(value, 2, "cls", 0, spec)
    with pytest.raises(BadSpec, match="no class token"):
        encoder("@stem?pool=cls")


@pytest.mark.parametrize("pool", ["avg", "max", "gem", "cls"])
def test_what_is_one_vector_already_cannot_be_pooled(pool):
    with pytest.raises(BadSpec, match=f"nothing for pool={pool} to pool"):
        encoder(f"@output?pool={pool}")
    if pool == "avg":  # a network without a class token has averaged
        value = torch.rand(2, 5)
        assert pooled(value, 2, pool, 0, Spec.parse("torch:tiny")) is not None


def test_a_wrong_layer_gives_the_nearest():
    with pytest.raises(
        BadSpec, match=r"no layer 'tokenz'\n.*\n.*did you mean tokens\?.*encoders show"
    ):
        encoder("@tokenz")
    with pytest.raises(BadSpec, match=r"choose penultimate, output or a module"):
        encoder("@xqzw")


def test_a_layer_without_a_vector_for_each_picture_is_refused():
    with pytest.raises(BadSpec, match="output of idle is no tensor, or is not run"):
        encoder("@idle")
    with pytest.raises(BadSpec, match=r"shape \(2, 7\) for 3 pictures"):
        pooled(torch.rand(2, 7), 3, "", 0, Spec.parse("torch:tiny"))
    with pytest.raises(BadSpec, match="pool=sum is not one of avg, cls, max, gem, flatten"):
        encoder("@stem?pool=sum")


def test_the_last_layer_is_linear_or_a_convolution():
    assert last_layer(Tiny()) == "other"
    assert last_layer(torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.ReLU())) == "0"


# --- how it computes --------------------------------------------------------------


def test_the_size_of_a_batch_does_not_matter():
    made = encoder("@tokens?pool=max")
    whole = made.encode(PHOTOS * 7)
    for size in (1, 2, 5, 21):
        made.batch_size = size
        np.testing.assert_allclose(made.encode(PHOTOS * 7), whole, atol=1e-6)
        prepared = [made.prepare(photo) for photo in PHOTOS * 7]
        np.testing.assert_allclose(made.forward(prepared), whole, atol=1e-6)


def test_half_the_bits_give_nearly_the_same():
    for rest in ("", "@stem?pool=gem", "@tokens?pool=max"):
        dtype = "&dtype=" if "?" in rest else "?dtype="
        full = encoder(rest).encode(PHOTOS)
        for kind in ("bfloat16", "float16"):
            made = encoder(f"{rest}{dtype}{kind}")
            rough = made.encode(PHOTOS)
            assert rough.dtype == np.float32
            np.testing.assert_allclose(rough, full, atol=0.05)
            assert made.fingerprint != encoder(rest).fingerprint
            assert made.card.details["dtype"] == kind


def test_overflow_is_said_with_its_mend():
    with pytest.raises(BadShape, match=r"overflowed in float16\n.*\n.*dtype=bfloat16"):
        encoder("@last?dtype=float16", gain=1e6)
    assert np.isfinite(encoder("@last?dtype=bfloat16", gain=1e6).encode(PHOTOS)).all()


def test_overflow_on_one_picture_is_said_too():
    made = encoder("@last?dtype=float16", gain=1.0)
    made.net.module.gain = 6e5
    with pytest.raises(BadShape, match="overflowed in float16"):
        made.encode(PHOTOS)


def test_unknown_dtypes_and_devices():
    with pytest.raises(BadSpec, match="dtype=int4 is not one of float32, float16, bfloat16, int8"):
        encoder("?dtype=int4")
    made = encoder()
    for device, here in (("tpu", ""), ("cuda:99", " here"), ("", "")):
        with pytest.raises(BadSpec, match=rf"no device '{device}'{here}\n.*\n.*auto, cpu"):
            made.run_on(Running(device))
    made.run_on(Running("cpu"))
    np.testing.assert_allclose(made.encode(PHOTOS), EXPECTED[""], atol=2e-5)


def test_preprocessing_that_differs_is_left_to_the_library():
    other = Preprocessing(squash=(SIDE, SIDE), mean=(0.4, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    made = encoder(stated=other)
    assert made.card.details["preprocessing_by"] == "the library"
    np.testing.assert_allclose(made.encode(PHOTOS), EXPECTED[""], atol=2e-5)
    assert encoder().card.details["preprocessing_by"] == "likelens, equal to the library's"


def test_blue_first_is_heard_in_the_batch():
    turned = Preprocessing(
        squash=(SIDE, SIDE), mean=(0.1, 0.5, 0.3), std=(0.5, 0.4, 0.6), channels="BGR"
    )
    torch.manual_seed(0)
    module = Tiny().eval()
    named = {"penultimate": OUTPUT}

    def make(stated):
        whole = Net(module, lambda picture: turned.apply(np.asarray(picture)), stated, named)
        return TorchEncoder(Spec.parse("torch:tiny"), whole)

    ours, theirs = make(turned), make(None)
    assert ours._fast
    np.testing.assert_allclose(ours.encode(PHOTOS), theirs.encode(PHOTOS), atol=2e-5)


def test_the_fingerprint_covers_layer_pool_weights_and_shape():
    marks = {rest: encoder(rest).fingerprint for rest in EXPECTED}
    assert marks[""] == marks["@penultimate"]
    assert len(set(marks.values())) == len(marks) - 1
    touched = net()
    with torch.no_grad():
        touched.module.stem.bias[0] += 1e-3
    assert TorchEncoder(Spec.parse("torch:tiny"), touched).fingerprint != marks[""]
    assert encoder().fingerprint == marks[""]


@given(
    st.lists(
        st.builds(
            Preprocessing,
            squash=st.just((SIDE, SIDE)),
            interpolation=st.sampled_from(["bilinear", "bicubic"]),
            mean=st.sampled_from([(0.5, 0.5, 0.5), (0.5, 0.5, 0.4), (0.0, 0.0, 0.0)]),
            std=st.sampled_from([(0.5, 0.5, 0.5), (1.0, 1.0, 1.0)]),
            scale=st.sampled_from([1 / 255, 1.0]),
            channels=st.sampled_from(["RGB", "BGR"]),
        ),
        min_size=2,
        max_size=4,
        unique_by=str,
    )
)
@settings(max_examples=15, deadline=None)
def test_two_preprocessings_never_share_a_fingerprint(ways):
    def made(way, ours):
        whole = Net(
            Tiny().eval(),
            lambda picture: way.apply(np.asarray(picture)),
            way if ours else None,
            {"penultimate": OUTPUT},
            preparation="" if ours else str(way),
        )
        return TorchEncoder(Spec.parse("torch:tiny"), whole).fingerprint

    for ours in (True, False):
        torch.manual_seed(0)
        assert len({made(way, ours) for way in ways}) == len(ways)


def test_what_is_not_seen_in_module_and_weights_is_in_the_fingerprint_by_its_settings():
    torch.manual_seed(0)
    module = Tiny().eval()
    known = [{}, {"settings": "temperature=1"}, {"settings": "temperature=2"}, {"prefix_tokens": 3}]
    made = [
        TorchEncoder(
            Spec.parse("torch:tiny@tokens?pool=avg"),
            Net(module, transform, STATED, {"penultimate": OUTPUT}, **one),
        )
        for one in known
    ]
    assert len({one.fingerprint for one in made}) == len(known)


def test_another_layer_runs_where_and_as_the_first(monkeypatch):
    first = encoder("?dtype=bfloat16")
    first.run_on(Running("cpu", compile=False, runtime="torch"))
    places = []
    monkeypatch.setattr(Passes, "place", lambda self, device, **known: places.append(device))
    another = first.at(Spec.parse("torch:tiny@stem?dtype=bfloat16"))
    assert another._passes is first._passes
    assert (another._runtime, another.batch_size) == (first._runtime, first.batch_size)
    assert another.trunk == first.trunk
    assert places == []  # the network stays where it is


def test_no_text_without_a_text_tower():
    with pytest.raises(BadSpec, match=r"cannot read text\n.*\n.*open_clip:"):
        encoder().encode_text(["a shoe"])


def test_a_module_that_writes_over_its_input_does_not_change_what_was_captured():
    import torch

    from likelens.encoders.torch_layers import Layer, captured

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(inplace=True))
    batch = torch.randn(3, 4)
    with torch.inference_mode():
        expected = module[0](batch).clone()
        (found,) = captured(module, batch, [Layer(("0",))])
    assert (expected < 0).any()
    torch.testing.assert_close(found, expected)
