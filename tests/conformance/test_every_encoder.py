"""Laws that every encoder keeps; a new source is tested by its EXAMPLES."""

import io
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from likelens import Catalogue, embed, open_encoder
from likelens.encoders.base import Encoder, FittedEncoder, VectorSource
from likelens.encoders.opening import ENCODERS, describe_sources, examples
from likelens.values.embeddings import Embeddings, EncoderCard
from likelens.values.errors import BadSpec
from likelens.values.spec import Spec

torch.set_num_threads(1)  # networks this small only wait for a second thread
# tested with files of their own in tests/unit
NEED_FILES = {"checkpoint", "hf", "onnx", "open_clip", "vectors"}
OTHERWISE = {
    "avg": "max",
    "gem": "avg",
    "tfidf": "sqrt",
    "vlad": "words",
}  # another value of an option that is no number
SPECS = [spec for source in ENCODERS.names() for spec in examples(source)]
ENCODING = [spec for spec in SPECS if isinstance(open_encoder(spec), Encoder)]
SOURCES = [spec for spec in SPECS if isinstance(open_encoder(spec), VectorSource)]


def photo(seed, height, width):
    """Boxes of random colours under soft light: edges, corners and flat parts."""
    draw = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 255, np.uint8)
    for _ in range(40):
        top, left = draw.integers(0, height), draw.integers(0, width)
        high, wide = draw.integers(3, 40, 2)
        picture[top : top + high, left : left + wide] = draw.integers(0, 256, 3)
    light = np.linspace(0.6, 1, width)[None, :, None]
    return (picture * light).astype(np.uint8)


PHOTOS = [photo(seed, 90 + 17 * seed, 150 - 11 * seed) for seed in range(7)]


def opened(spec, pictures=PHOTOS):
    encoder = open_encoder(spec)
    if isinstance(encoder, FittedEncoder):
        encoder.fit(pictures)
    return encoder


def test_every_source_gives_examples_or_needs_a_file():
    without = {source for source in ENCODERS.names() if not examples(source)}
    assert without == NEED_FILES
    assert set(ENCODING) | set(SOURCES) == set(SPECS)
    for source, line in describe_sources().items():
        assert f"{source}:" in line


@pytest.mark.parametrize("spec", SPECS)
def test_the_spec_is_kept_as_it_would_be_written_again(spec):
    assert str(open_encoder(spec).spec) == str(Spec.parse(spec)) == spec


@pytest.mark.parametrize("spec", SPECS)
def test_unknown_options_are_refused(spec):
    parsed = Spec.parse(spec)
    wrong = Spec(parsed.source, parsed.identifier, None, {**parsed.options, "nonsense": "1"})
    with pytest.raises(BadSpec, match="has no option 'nonsense'"):
        open_encoder(wrong)


@pytest.mark.parametrize("spec", ENCODING)
def test_vectors_are_finite_float32_of_the_promised_length(spec):
    encoder = opened(spec)
    made = encoder.encode(PHOTOS)
    assert made.shape == (7, encoder.dim)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert made.any(axis=1).all()
    assert len(np.unique(made.round(4), axis=0)) == 7
    assert encoder.encode([]).shape == (0, encoder.dim)


@pytest.mark.parametrize("spec", ENCODING)
def test_a_vector_does_not_depend_on_batch_neighbours_or_order(spec):
    encoder = opened(spec)
    together = encoder.encode(PHOTOS)
    for at, picture in enumerate(PHOTOS):
        np.testing.assert_allclose(encoder.encode([picture])[0], together[at], atol=1e-6)
    np.testing.assert_allclose(encoder.encode(PHOTOS[::-1])[::-1], together, atol=1e-6)
    prepared = [encoder.prepare(picture) for picture in PHOTOS]
    np.testing.assert_allclose(encoder.forward(prepared), together, atol=1e-6)
    encoder.batch_size = 3
    np.testing.assert_allclose(encoder.encode(PHOTOS), together, atol=1e-6)


@pytest.mark.parametrize("spec", ENCODING)
def test_threads_give_the_same_vectors(spec):
    encoder = opened(spec)
    alone = np.concatenate([encoder.encode([picture]) for picture in PHOTOS])
    with ThreadPoolExecutor(8) as pool:
        many = list(pool.map(lambda picture: encoder.encode([picture])[0], PHOTOS * 6))
    np.testing.assert_allclose(many, np.tile(alone, (6, 1)), atol=1e-6)


@pytest.mark.parametrize("spec", ENCODING)
def test_a_picture_gives_one_vector_whatever_it_comes_as(spec, tmp_path):
    encoder = opened(spec)
    path = tmp_path / "picture.png"
    Image.fromarray(PHOTOS[2]).save(path)
    with Image.open(path) as lazy:
        forms = [PHOTOS[2], str(path), path, path.read_bytes(), lazy, Image.fromarray(PHOTOS[2])]
        made = encoder.encode(forms)
    np.testing.assert_allclose(made, np.tile(made[0], (6, 1)), atol=1e-6)


@pytest.mark.parametrize("spec", ENCODING)
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_photo_on_its_side_gives_the_vector_of_its_upright_copy(spec, orientation):
    encoder = opened(spec)
    turns = {2: [0], 3: [3], 4: [1], 5: [5], 6: [2], 7: [6], 8: [4]}[orientation]  # and back
    stored = Image.fromarray(PHOTOS[1])
    for turn in turns:
        stored = stored.transpose(Image.Transpose(turn))
    block, file = Image.Exif(), io.BytesIO()
    block[0x0112] = orientation
    stored.save(file, "PNG", exif=block)
    upright, turned = encoder.encode([PHOTOS[1], file.getvalue()])
    np.testing.assert_allclose(upright, turned, atol=1e-6)


@pytest.mark.parametrize("spec", ENCODING)
def test_colours_under_transparency_do_not_count(spec):
    encoder = opened(spec)
    hidden = np.random.default_rng(0).integers(0, 256, PHOTOS[0].shape, np.uint8)
    mask = np.zeros(PHOTOS[0].shape[:2], np.uint8)
    mask[10:60, 20:90] = 255
    shown = np.where(mask[:, :, None] > 0, PHOTOS[0], 255)
    made = encoder.encode([np.dstack([np.where(mask[:, :, None] > 0, PHOTOS[0], h), mask])
                           for h in (0, 255, hidden)])  # fmt: skip
    for vector in made:
        np.testing.assert_allclose(vector, encoder.encode([shown])[0], atol=1e-6)


@pytest.mark.parametrize("spec", ENCODING)
def test_pictures_are_not_changed(spec):
    encoder = opened(spec)
    before = [picture.copy() for picture in PHOTOS]
    encoder.encode(PHOTOS)
    for picture, old in zip(PHOTOS, before, strict=True):
        np.testing.assert_array_equal(picture, old)


@pytest.mark.parametrize("spec", ENCODING)
@pytest.mark.parametrize("size", [(1, 1), (10, 10_000), (10_000, 10)])
def test_any_size_of_picture_is_taken(spec, size):
    picture = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    assert np.isfinite(opened(spec).encode([picture])).all()


@pytest.mark.parametrize("spec", ENCODING)
def test_opened_again_it_is_the_same_encoder(spec):
    first, again = opened(spec), opened(spec)
    assert first.fingerprint == again.fingerprint
    assert len(first.fingerprint) == 16
    np.testing.assert_allclose(first.encode(PHOTOS), again.encode(PHOTOS), atol=1e-6)
    assert EncoderCard.from_json(first.card.to_json()) == first.card
    assert first.card.name == spec


@pytest.mark.parametrize("spec", ENCODING)
def test_every_option_is_in_the_fingerprint(spec):
    parsed = Spec.parse(spec)
    marks = {opened(spec).fingerprint}
    # how many pictures to ask for: what was learnt from them counts; and that weights are random
    idle = {"sample", "weights"}
    for name, text in parsed.options.items():
        if name in idle:
            continue
        other = OTHERWISE.get(text) or str(int(text) * 2)
        changed = Spec(
            parsed.source, parsed.identifier, parsed.layer, {**parsed.options, name: other}
        )
        marks.add(opened(str(changed)).fingerprint)
    assert len(marks) == 1 + len(parsed.options.keys() - idle)


@pytest.mark.parametrize(
    "spec", [s for s in ENCODING if isinstance(open_encoder(s), FittedEncoder)]
)
def test_what_a_fitted_encoder_learnt_is_all_there_is(spec):
    first, other = opened(spec), open_encoder(spec)
    with pytest.raises(BadSpec, match="not learnt"):
        other.encode(PHOTOS[:1])
    other.load_state({name: array.copy() for name, array in first.state().items()})
    assert other.fingerprint == first.fingerprint
    np.testing.assert_allclose(first.encode(PHOTOS), other.encode(PHOTOS), atol=1e-6)
    assert opened(spec, PHOTOS[:3]).fingerprint != first.fingerprint


@pytest.mark.parametrize("spec", SOURCES)
def test_a_source_of_vectors_refuses_pictures_and_keeps_ids(spec, shop):
    source = open_encoder(spec)
    with pytest.raises(BadSpec, match="cannot encode a picture"):
        source.encode(PHOTOS[:1])
    catalogue = Catalogue.open(shop)
    made = embed(catalogue, spec)
    assert isinstance(made, Embeddings)
    assert made.ids == catalogue.ids
    assert made.encoder.name == spec
    small = SimpleNamespace(ids=catalogue.ids[:3], paths=catalogue.paths[:3])
    fewer = source.embeddings(small, lambda inner: embed(catalogue, inner).take(small.ids))
    assert fewer.ids == small.ids
