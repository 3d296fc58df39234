"""Several encoders in one run: decoding shared, layers from one pass, each with its own fate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import likelens._embed.survey
from likelens import Catalogue, open_store
from likelens._embed import fill, fill_all
from likelens._embed.passes import _shares
from likelens.encoders.base import Encoder
from likelens.encoders.opening import open_encoders
from likelens.values.embeddings import EncoderCard
from likelens.values.errors import MissingExtra
from likelens.values.spec import Spec


class Part(Encoder):
    """One of two layers of a network that counts its passes; channel 0 or 1 of the mean."""

    passes = 0

    def __init__(self, channel, fails=()):
        self.spec = Spec("test", f"part{channel}")
        self.card = EncoderCard(str(self.spec), f"part{channel}", 1)
        self.channel, self.fails = channel, fails
        self.batch_size = 4

    @property
    def trunk(self):
        return "one network"

    def prepare(self, image):
        return image.mean(axis=(0, 1))

    def forward(self, prepared):
        return self.forward_layers(prepared, [self])[0]

    def forward_layers(self, prepared, encoders):
        Part.passes += 1
        return [np.stack(prepared)[:, [one.channel]] for one in encoders]


class Blind(Encoder):
    """Cannot look at some pictures."""

    def __init__(self):
        self.spec = Spec("test", "blind")
        self.card = EncoderCard("test:blind", "blind", 2)

    def prepare(self, image):
        if image[0, 0, 0] > 100:
            raise ValueError("too bright")
        return image.mean(axis=(0, 1))[:2]

    def forward(self, prepared):
        return np.stack(prepared)


@pytest.fixture
def catalogue(shop):
    return Catalogue.open(shop)


def vectors(store, name, catalogue):
    return store.embeddings(name, catalogue.ids)


def test_each_picture_is_decoded_once_for_all(catalogue, monkeypatch):
    decoded = []
    real = likelens._embed.survey.open_image

    def noted(content, **told):
        decoded.append(content)
        return real(content, **told)

    monkeypatch.setattr(likelens._embed.survey, "open_image", noted)
    Part.passes = 0
    store = open_store(None)
    runs = fill_all(catalogue, [Part(0), Blind(), Part(1)], store)
    assert len(decoded) == len(catalogue)
    assert Part.passes == -(-len(catalogue) // 4)
    assert [run.name for run in runs] == ["test:part0", "test:blind", "test:part1"]


def test_the_vectors_are_those_of_each_alone(catalogue, tmp_path):
    together, alone = open_store(tmp_path / "a"), open_store(tmp_path / "b")
    encoders = [Part(0), Blind(), Part(1)]
    runs = fill_all(catalogue, encoders, together)
    for encoder, run in zip(encoders, runs, strict=True):
        single = fill(catalogue, encoder, alone)
        assert (run.embedded, run.failures) == (single.embedded, single.failures)
        ours, theirs = (vectors(store, run.name, catalogue) for store in (together, alone))
        assert ours.ids == theirs.ids
        np.testing.assert_array_equal(ours.vectors, theirs.vectors)


def test_what_one_cannot_see_the_others_still_do(catalogue):
    store = open_store(None)
    part, blind = fill_all(catalogue, [Part(0), Blind()], store)
    assert part.embedded == len(catalogue)
    assert not part.failures
    assert blind.failures
    assert all("too bright" in reason for _, _, reason in blind.failures)
    assert blind.embedded + len(blind.failures) == len(catalogue)


def test_an_encoder_that_has_its_vectors_does_not_work_again(catalogue, tmp_path):
    store = open_store(tmp_path / "s")
    fill(catalogue, Part(0), store)
    Part.passes = 0
    runs = fill_all(catalogue, [Part(0), Blind()], store)
    assert (runs[0].kept, runs[0].embedded) == (len(catalogue), 0)
    assert Part.passes == 0


def test_layers_of_one_network_are_loaded_once():
    specs = [
        "timm:test_vit?weights=none",
        "timm:test_vit@blocks.1?pool=avg&weights=none",
        "timm:test_vit@output?weights=none",
        "timm:test_vit?seed=1&weights=none",
    ]
    (first, block, output, other), lost = open_encoders(specs)
    assert not lost
    assert first.net is block.net is output.net
    assert first.trunk == block.trunk == output.trunk != other.trunk
    draw = np.random.default_rng(0)
    pictures = [draw.integers(0, 256, (90, 70, 3), np.uint8) for _ in range(3)]
    prepared = [first.prepare(picture) for picture in pictures]
    for encoder, made in zip(
        (first, block, output), first.forward_layers(prepared, [first, block, output]), strict=True
    ):
        np.testing.assert_allclose(made, encoder.encode(pictures), atol=1e-5)
        assert str(encoder.spec) in specs


def test_encoders_that_cannot_be_had_are_told_apart(monkeypatch):
    import likelens.values.extras as extras

    real = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "mahotas" else real(name))
    opened, lost = open_encoders(["opencv:colour", "mahotas:surf", "opencv:hog"])
    assert [str(one.spec) for one in opened] == ["opencv:colour", "opencv:hog"]
    assert isinstance(lost["mahotas:surf"], MissingExtra)


@given(st.integers(0, 3000), st.integers(1, 40))
def test_threads_share_rows_in_whole_batches_that_get_smaller(count, batch):
    shares = list(_shares(np.arange(count), batch))
    assert [row for share in shares for row in share] == list(range(count))
    sizes = [len(share) for share in shares]
    assert all(size % batch == 0 for size in sizes[:-1])
    assert max(sizes, default=0) <= max(16, batch)
    assert sizes[:-1] == sorted(sizes[:-1], reverse=True)


@pytest.mark.parametrize(
    ("cores", "batch", "count", "sizes"),
    [
        (2, 1, 100, [16, 14, 11, 9, 8, 7, 5, 5, 4, 4, 4, 4, 4, 4, 1]),
        (2, 8, 100, [16, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 4]),
        (16, 1, 20, [4] * 5),
        (1, 1, 60, [16, 14, 10, 6, 4, 4, 4, 2]),
        (4, 32, 70, [32, 32, 6]),
    ],
)
def test_the_last_shares_are_small(cores, batch, count, sizes, monkeypatch):
    monkeypatch.setattr("likelens._embed.passes.cores", lambda: cores)
    assert [len(share) for share in _shares(np.arange(count), batch)] == sizes
