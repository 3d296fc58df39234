import numpy as np
import pyarrow as pa
import pytest

from likelens import Catalogue, compare, embed, open_encoder
from likelens.encoders.running import Running
from likelens.values.embeddings import Embeddings, EncoderCard
from likelens.values.errors import BadSpec

DRAW = np.random.default_rng(5)
PICTURES = list(DRAW.integers(0, 256, (40, 9, 8, 3), np.uint8))


# --- random -----------------------------------------------------------------------


def test_random_vectors_are_standard_normal():
    made = open_encoder("control:random?dim=600").encode(PICTURES)
    assert made.shape == (40, 600)
    assert abs(made.mean()) < 0.03
    assert abs(made.std() - 1) < 0.03
    cosines = made @ made.T / 600
    assert np.abs(cosines - np.eye(40)).max() < 0.35


def test_the_same_picture_gets_the_same_vector_and_no_other_does():
    encoder = open_encoder("control:random")
    other = PICTURES[0].copy()
    other[0, 0, 0] ^= 1
    turned = PICTURES[0].reshape(8, 9, 3)
    a, b, c, d = encoder.encode([PICTURES[0], PICTURES[0].copy(), other, turned])
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1
    assert np.abs(a - d).max() > 1


def test_seed_and_dimension_count():
    specs = ["control:random", "control:random?seed=1", "control:random?dim=8"]
    made = [open_encoder(spec) for spec in specs]
    assert len({encoder.fingerprint for encoder in made}) == 3
    a, b, c = (encoder.encode(PICTURES[:1])[0] for encoder in made)
    assert np.abs(a - b).max() > 1
    assert c.shape == (8,)


# --- shuffled ---------------------------------------------------------------------


def inner(spec):
    ids = tuple(f"item{number}" for number in range(50))
    vectors = np.arange(150, dtype=np.float32).reshape(50, 3)
    failures = pa.table({name: ["lost"] for name in ("id", "path", "reason")})
    card = EncoderCard(spec, f"mark of {spec}", 3, "grey", 10, 20, 70.5, {"a": 1})
    return Embeddings(ids, vectors, card, failures)


def test_shuffled_deals_the_same_vectors_out_anew():
    source = open_encoder("control:shuffled?of=opencv:sift?words=64&seed=1")
    made, known = source.embeddings(None, inner), inner("opencv:sift?seed=1&words=64")
    assert made.ids == known.ids
    assert made.failures is not None
    assert made.failures.num_rows == 1
    assert sorted(map(tuple, made.vectors)) == sorted(map(tuple, known.vectors))
    assert (made.vectors == known.vectors).all(axis=1).mean() < 0.2
    again = open_encoder(str(source.spec)).embeddings(None, inner)
    np.testing.assert_array_equal(again.vectors, made.vectors)


def test_the_fingerprint_covers_the_inner_one_and_the_seed():
    specs = [
        "control:shuffled?of=opencv:sift?words=64",
        "control:shuffled?of=opencv:sift?words=65",
        "control:shuffled?seed=1&of=opencv:sift?words=64",
    ]
    made = [open_encoder(spec).embeddings(None, inner) for spec in specs]
    marks = {each.fingerprint for each in made} | {inner("opencv:sift?words=64").fingerprint}
    assert len(marks) == 4
    assert (made[0].vectors != made[2].vectors).any()
    assert made[0].encoder.name == specs[0]
    assert made[0].encoder.accuracy is made[0].encoder.parameters is None


def test_shuffled_of_shuffled():
    source = open_encoder("control:shuffled?seed=1&of=control:shuffled?of=a:b?c=1")

    def embed_(spec):
        if spec.startswith("control"):
            return open_encoder(spec).embeddings(None, embed_)
        return inner(spec)

    made = source.embeddings(None, embed_)
    once = open_encoder("control:shuffled?of=a:b?c=1").embeddings(None, embed_)
    assert sorted(map(tuple, made.vectors)) == sorted(map(tuple, once.vectors))
    assert (made.vectors != once.vectors).any()


def test_shuffled_of_a_catalogue(shop):
    catalogue = Catalogue.open(shop)
    made = embed(catalogue, "control:shuffled?of=opencv:colour?bins=4")
    known = embed(catalogue, "opencv:colour?bins=4")
    assert made.ids == known.ids == catalogue.ids
    assert sorted(map(tuple, made.vectors)) == sorted(map(tuple, known.vectors))


def test_networks_that_are_shuffled_run_where_asked_and_are_opened_once(shop, monkeypatch):
    from likelens.encoders import opening

    opened, catalogue = [], Catalogue.open(shop, tags=["colour", "kind"])
    real = opening.open_encoder
    running = Running(device="cpu", runtime="torch")

    def noted(spec, running=None):
        opened.append((str(spec), running))
        return real(spec, running)

    for place in ("likelens.encoders.opening", "likelens._embed", "likelens._lineup"):
        monkeypatch.setattr(f"{place}.open_encoder", noted)
    shuffled = "control:shuffled?of=opencv:colour?bins=4"
    embed(catalogue, real(shuffled, running))
    assert opened == [("opencv:colour?bins=4", running)]
    opened.clear()
    compare(catalogue, ["opencv:colour?bins=4", shuffled], running=running)
    assert sorted(name for name, _ in opened) == [shuffled, "opencv:colour?bins=4"]
    assert all(where == running for _, where in opened)
    opened.clear()
    compare(catalogue, ["opencv:hog?size=64", shuffled], running=running)
    assert ("opencv:colour?bins=4", running) in opened


# --- wrong use --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("control:constant", "no encoder control:constant"),
        ("control:random@output", "no encoder control:random@output"),
        ("control:random?dim=0", "dim=0 is not a whole number from 1"),
        ("control:random?size=3", "no option 'size'"),
        ("control:shuffled", "whose vectors are to be shuffled is not said"),
        ("control:shuffled?of=colour", "'colour' is not the name of an encoder"),
        ("control:shuffled?of=opencv:colour&seed=x", "seed=x is not a whole number"),
    ],
)
def test_wrong_specs_are_refused(spec, reason):
    with pytest.raises(BadSpec, match=reason):
        open_encoder(spec)


def test_shuffled_vectors_cannot_look_at_a_picture():
    with pytest.raises(BadSpec, match="cannot encode a picture"):
        open_encoder("control:shuffled?of=opencv:colour").encode(PICTURES[:1])
