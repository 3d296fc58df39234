"""Searches in words, alone and beside pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from conftest import paint
from likelens import Catalogue, Encoder, Searcher, Spec, embed, search
from likelens.encoders.torch_load import need_library
from likelens.values.embeddings import EncoderCard
from likelens.values.errors import BadQuery, BadSpec

WORDS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
COLOURS = {"r": (250, 5, 5), "g": (5, 250, 5), "b": (5, 5, 250), "rg": (200, 190, 5)}


class Colours(Encoder):
    """The mean colour of a picture, and of its name."""

    batch_size = 4

    def __init__(self):
        self.spec = Spec.parse("opencv:colour")
        self.card = EncoderCard("colours:mean", "c0", 3)

    @property
    def reads_text(self):
        return True

    def encode_text(self, texts):
        return np.array([sum(np.array(WORDS[w]) for w in t.split()) for t in texts], np.float32)

    def prepare(self, image):
        return image.reshape(-1, 3).mean(axis=0)

    def forward(self, prepared):
        return np.stack(prepared)


@pytest.fixture
def searcher(tmp_path):
    for name, colour in COLOURS.items():
        (tmp_path / "one").mkdir(exist_ok=True)
        Image.new("RGB", (9, 9), colour).save(tmp_path / "one" / f"{name}.png")
    encoder = Colours()
    embed(Catalogue.open(tmp_path / "one"), encoder, tmp_path / "store")
    return Searcher(tmp_path / "store", encoder)


def names(hits):
    return [item.rpartition("/")[2].removesuffix(".png") for item in hits.ids]


def test_words_find_what_they_say(searcher):
    hits = searcher.search(text="red", k=2)
    assert names(hits) == ["r", "rg"]
    assert hits.texts == ("red",)
    assert hits.queries == hits.pictures == ()
    assert hits.text_weight is None
    assert names(searcher.search(text=["red", "green"], k=1)) == ["rg"]
    assert names(searcher.search(text=["red green"], k=1)) == ["rg"]


def test_words_weigh_as_much_as_is_said(searcher, tmp_path):
    picture = tmp_path / "one" / "b.png"
    for weight, expected in ((0.0, "b"), (0.1, "b"), (0.9, "g"), (1.0, "g")):
        hits = searcher.search(picture, text="green", text_weight=weight, k=1, include_self=True)
        assert names(hits) == [expected]
        assert hits.text_weight == weight
    half = searcher.search(picture, text="green", k=4, include_self=True)
    assert half.text_weight == 0.5
    unit = np.array([5, 5, 250]) / np.linalg.norm([5, 5, 250])
    mixed = (unit + np.array([0, 1, 0])) / 2
    best = [np.array(COLOURS[name]) for name in names(half)]
    expected = [mixed @ c / np.linalg.norm(mixed) / np.linalg.norm(c) for c in best]
    np.testing.assert_allclose(half.scores, expected, atol=1e-4)


def test_words_less_a_picture(searcher, tmp_path):
    green = tmp_path / "one" / "g.png"
    hits = searcher.search(text="red green", minus=[green], minus_weight=1.0, k=1)
    assert names(hits) == ["r"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "no picture was given"),
        ({"text": "  "}, "is empty"),
        ({"text": ["red", 3]}, "is empty"),
        ({"text": "red", "text_weight": 0.3}, "needs pictures and texts"),
        ({"query": "b", "text_weight": 0.3}, "needs pictures and texts"),
        ({"query": "one/b.png", "text": "red", "text_weight": 1.3}, "1.3 is not from 0 to 1"),
        ({"query": "one/b.png", "text": "red", "text_weight": float("nan")}, "not from 0 to 1"),
        ({"text": "red", "region": "0,0,5,5"}, "a region of 0 pictures"),
        ({"text": "red", "rerank": "csls"}, "leave --rerank out"),
        ({"query": "gone/purple.png"}, "no such picture.*\n.*\n.*or --text"),
        ({"text": "red", "minus": ["b"], "minus_weight": 0.0}, "not above 0"),
        ({"text": "red", "minus": ["b"], "minus_weight": float("inf")}, "not above 0"),
    ],
)
def test_wrong_words(searcher, asked, message):
    with pytest.raises(BadQuery, match=message):
        searcher.search(**asked)


def test_who_cannot_read_says_so(shop, tmp_path, likelens):
    embed(Catalogue.open(shop), "opencv:colour", tmp_path / "store")
    with pytest.raises(BadQuery, match=r"cannot read text\n.*\n.*open_clip:ViT-B-32"):
        search(tmp_path / "store", text="red striped dress")
    with pytest.raises(BadQuery, match=r"no such picture.*\n.*\n.*cannot read text"):
        search(tmp_path / "store", "red striped dress")
    code, out, err = likelens("search", "red striped dress", "--store", tmp_path / "store")
    assert (code, out) == (2, "")
    assert "opencv:colour cannot read text" in err
    with pytest.raises(BadSpec, match="cannot read text"):
        Searcher(tmp_path / "store").encoder.encode_text(["red"])


@pytest.fixture
def small_clip(tmp_path):
    """The name of an architecture of open_clip far smaller than any of its own."""
    open_clip = need_library("open_clip", Spec.parse("open_clip:any"))
    text = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1}
    sizes = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
    place = tmp_path / "words-clip.json"
    place.write_text(json.dumps({"embed_dim": 8, "vision_cfg": sizes, "text_cfg": text}))
    before = dict(open_clip.factory._MODEL_CONFIGS)
    open_clip.add_model_config(place)
    yield "open_clip:words-clip?weights=none"
    open_clip.factory._MODEL_CONFIGS.clear()
    open_clip.factory._MODEL_CONFIGS.update(before)


def test_words_on_the_command_line(shop, tmp_path, likelens, small_clip):
    store, page = tmp_path / "store", tmp_path / "page.html"
    embed(Catalogue.open(shop), small_clip, store)
    asked = ("--store", store, "-e", small_clip, "-k", 3)
    code, out, err = likelens("search", "red striped dress", *asked, "--json", "--html", page)
    assert code == 0, err
    assert json.loads(err) == {"note": "read as text: red striped dress"}
    found = json.loads(out)
    assert found["texts"] == ["red striped dress"]
    assert len(found["hits"]) == 3
    html = page.read_text(encoding="utf-8")
    assert "<q>red striped dress</q>" in html
    assert "similar to red striped dress – likelens" in html
    same = likelens("search", "--text", "red striped dress", *asked, "--json")
    assert json.loads(same[1])["hits"] == found["hits"]
    assert "read as text" not in same[2]

    code, out, err = likelens(
        "search", "2", *asked, "--text", "a dress", "--text-weight", 0.25, "--json"
    )
    assert code == 0, err
    assert json.loads(out)["text_weight"] == 0.25
    assert "2" not in [hit["id"] for hit in json.loads(out)["hits"]]


def test_a_path_that_is_not_there_is_no_text(shop, tmp_path, likelens, small_clip):
    embed(Catalogue.open(shop), small_clip, tmp_path / "store")
    paint(tmp_path / "new.png", 3)
    asked = ("--store", tmp_path / "store", "-e", small_clip)
    for typo in ("gone.jpg", "pictures/gone", "C:\\gone"):
        code, _, err = likelens("search", typo, *asked)
        assert code == 2
        assert "there is no such picture" in err
        assert "--text" in err
    assert likelens("search", tmp_path / "new.png", *asked)[0] == 0
