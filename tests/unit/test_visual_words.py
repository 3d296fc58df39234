import hashlib
import importlib.util

import cv2
import mahotas.features.surf
import numpy as np
import pytest

from likelens import open_encoder
from likelens.encoders.aggregation import inverse_document_frequency, tf_idf, vlad
from likelens.encoders.visual_words import VERSION, learn_words, nearest
from likelens.images import open_image
from likelens.values.errors import BadShape, BadSpec, MissingExtra
from likelens.values.spec import fingerprint

KINDS = {"sift": "opencv:sift", "orb": "opencv:orb", "fast": "opencv:fast", "surf": "mahotas:surf"}
BINARY = ("orb", "fast")
TURNING = ("sift", "orb")  # FAST is described upright, and mahotas turns SURF roughly
WAYS = {"sqrt": {}, "tfidf": {"weight": "tfidf"}, "vlad": {"aggregate": "vlad"}}


def scene(seed, height=120, width=140):
    """Random boxes and discs: corners and blobs in plenty."""
    draw = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 255, np.uint8)
    for _ in range(25):
        x, y, size = draw.integers(0, width), draw.integers(0, height), draw.integers(4, 30)
        colour = [int(value) for value in draw.integers(0, 255, 3)]
        if draw.random() < 0.5:
            cv2.rectangle(
                picture, (int(x), int(y)), (int(x + size), int(y + size // 2)), colour, -1
            )
        else:
            cv2.circle(picture, (int(x), int(y)), int(size // 2), colour, -1)
    return picture


SCENES = [scene(seed) for seed in range(12)]


def fitted(kind, words=16, **options):
    extra = "".join(f"&{name}={value}" for name, value in options.items())
    encoder = open_encoder(f"{KINDS[kind]}?words={words}{extra}")
    encoder.fit(SCENES)
    return encoder


# --- vectors ----------------------------------------------------------------------


def plain_descriptors(kind, picture):
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if kind == "surf":
        return mahotas.features.surf.surf(grey)[:, 6:]
    if kind == "sift":
        found = cv2.SIFT.create().detectAndCompute(grey, None)[1]
        return np.sqrt(found / found.sum(1, keepdims=True))
    if kind == "orb":
        found = cv2.ORB.create(500).detectAndCompute(grey, None)[1]
    else:  # the border is mirrored by hand, so that ORB drops nothing
        corners = cv2.FastFeatureDetector.create().detect(grey)
        moved = [cv2.KeyPoint(c.pt[0] + 40, c.pt[1] + 40, c.size, 0.0) for c in corners]
        wide = cv2.copyMakeBorder(grey, 40, 40, 40, 40, cv2.BORDER_REFLECT_101)
        found = cv2.ORB.create().compute(wide, moved)[1]
        assert len(found) == len(corners)
    return np.unpackbits(found, axis=1).astype(int) * 2 - 1


def slow_nearest(kind, descriptor, words):
    """The position of the nearest word, by Hamming distance where there are bits."""
    if kind in BINARY:
        distances = (words != descriptor).sum(1)
    else:
        distances = ((words - descriptor) ** 2).sum(1)
    return int(np.argmin(distances))


def slow_counts(kind, picture, words):
    counts = np.zeros(len(words))
    for descriptor in plain_descriptors(kind, picture):
        counts[slow_nearest(kind, descriptor, words)] += 1
    return counts


@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_is_the_root_of_the_share_of_each_word(kind):
    encoder = fitted(kind)
    words = encoder.state()["words"]
    made = encoder.encode(SCENES[:3])
    for vector, picture in zip(made, SCENES, strict=False):
        counts = slow_counts(kind, picture, words)
        np.testing.assert_allclose(vector**2, counts / counts.sum(), atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(vector), 1, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_tf_idf_is_the_printed_equation(kind):
    flat = np.full((100, 100, 3), 9, np.uint8)  # has no keypoints, and is not among the N
    encoder = open_encoder(f"{KINDS[kind]}?words=24&weight=tfidf")
    encoder.fit([*SCENES, flat])
    words, idf = encoder.state()["words"], encoder.state()["idf"]
    counts = [slow_counts(kind, picture, words) for picture in SCENES]
    for word in range(24):
        having = sum(1 for each in counts if each[word])
        assert idf[word] == pytest.approx(np.log(len(SCENES) / max(having, 1)), abs=1e-6)
    assert idf.any()
    for vector, each in zip(encoder.encode(SCENES), counts, strict=True):
        expected = [n_id / each.sum() * weight for n_id, weight in zip(each, idf, strict=True)]
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_vlad_is_the_printed_equation(kind):
    encoder = fitted(kind, words=4, aggregate="vlad")
    words = encoder.state()["words"].astype(float)
    for vector, picture in zip(encoder.encode(SCENES[:3]), SCENES, strict=False):
        sums = np.zeros_like(words)
        for x in plain_descriptors(kind, picture):
            word = slow_nearest(kind, x, words)
            for j in range(len(x)):
                sums[word, j] += x[j] - words[word, j]
        rooted = [np.sign(value) * abs(value) ** 0.5 for value in sums.ravel()]
        np.testing.assert_allclose(vector, rooted / np.linalg.norm(rooted), atol=2e-4)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_words_that_tell_nothing_apart_weigh_nothing():
    idf = inverse_document_frequency(np.array([4, 2, 0]), 4)
    np.testing.assert_allclose(idf, [0, np.log(2), np.log(4)], atol=1e-6)
    assert tf_idf(np.array([0, 0]), idf).tolist() == [0, 0, 0]
    assert tf_idf(np.array([0, 1, 0]), idf).tolist() == [0, 1, 0]


def test_vlad_of_the_words_themselves_is_zero():
    words = np.eye(3, dtype=np.float32)
    assert not vlad(words, np.arange(3), words).any()


@pytest.mark.parametrize(
    ("kind", "length"), [("sift", 128), ("orb", 256), ("fast", 256), ("surf", 64)]
)
def test_dimensions(kind, length):
    assert open_encoder(KINDS[kind]).dim == 512
    assert open_encoder(f"{KINDS[kind]}?weight=tfidf").dim == 512
    assert open_encoder(f"{KINDS[kind]}?aggregate=vlad").dim == 64 * length
    assert open_encoder(f"{KINDS[kind]}?aggregate=vlad&words=3").dim == 3 * length


def test_fast_keeps_the_strongest_corners_and_those_near_the_border():
    encoder, finder = open_encoder("opencv:fast"), cv2.FastFeatureDetector.create()
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
    strengths = [corner.response for corner in finder.detect(noise)]
    every = plain_descriptors("fast", np.repeat(noise[:, :, None], 3, axis=2))
    strength = dict(zip(map(bytes, every.astype(np.int8)), strengths, strict=True))
    kept = [strength[bytes(row)] for row in encoder.describe(noise).astype(np.int8)]
    assert sorted(kept) == sorted(strengths)[-500:] != sorted(strengths)
    small = noise[:24, :24]
    assert len(encoder.describe(small)) == len(finder.detect(small)) > 5


def test_surf_leaves_out_descriptors_that_are_not_finite(monkeypatch):
    encoder = open_encoder("mahotas:surf")
    rows = np.ones((3, 64))
    rows[1, 5] = np.nan
    monkeypatch.setattr(encoder, "_surf", lambda grey, descriptor_only: rows)
    assert encoder.describe(np.zeros((90, 90), np.uint8)).shape == (2, 64)


BRIGHTER = lambda picture: (picture * 0.8 + 20).astype(np.uint8)  # noqa: E731
TURNED = lambda picture: np.rot90(picture).copy()  # noqa: E731


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_turned_or_brighter_view_is_nearer_than_another_scene(kind, way):
    encoder = fitted(kind, words=24, **WAYS[way])
    gallery = encoder.encode(SCENES)
    for view in (BRIGHTER, TURNED) if kind in TURNING else (BRIGHTER,):
        queries = encoder.encode([view(picture) for picture in SCENES])
        ranks = (queries @ gallery.T).argsort(axis=1)[:, ::-1]
        assert (ranks[:, 0] == np.arange(len(SCENES))).mean() > 0.7


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_without_keypoints_gets_zeros(kind, way):
    encoder = fitted(kind, **WAYS[way])
    for size in [(1, 1), (1, 300), (10, 10_000), (40, 40), (7, 200)]:
        flat = np.full((*size, 3), 130, np.uint8)
        made = encoder.encode([flat, SCENES[0]])
        assert not made[0].any()
        assert made[1].any()


def test_large_pictures_are_bounded():
    encoder = open_encoder("opencv:sift?words=4&size=64")
    encoder.fit(SCENES)
    large = cv2.resize(SCENES[0], (1400, 1200))
    assert 0 < len(encoder.prepare(large)) < 100


# --- learning ---------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_learning_is_deterministic_and_heeds_seed_and_options(kind, way):
    options = WAYS[way]
    first, again = fitted(kind, **options), fitted(kind, **options)
    assert first.fingerprint == again.fingerprint
    np.testing.assert_array_equal(first.encode(SCENES), again.encode(SCENES))
    changes = [{"seed": 1}, {"words": 17}, {"size": 100}]
    others = [fitted(kind, **{**options, **change}) for change in changes]
    assert len({first.fingerprint, *(other.fingerprint for other in others)}) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_each_way_has_its_fingerprint_and_the_words_are_the_same(kind):
    made = [fitted(kind, **options) for options in WAYS.values()]
    assert len({each.fingerprint for each in made}) == len(WAYS)
    for each in made[1:]:
        np.testing.assert_array_equal(each.state()["words"], made[0].state()["words"])
    spelt_out = fitted(kind, aggregate="words", weight="sqrt")
    assert spelt_out.fingerprint == made[0].fingerprint
    np.testing.assert_array_equal(spelt_out.encode(SCENES), made[0].encode(SCENES))


@pytest.mark.parametrize("kind", ["sift", "orb"])
def test_fingerprints_of_older_stores_still_hold(kind):
    encoder = fitted(kind)
    digest = hashlib.blake2b(encoder.state()["words"].tobytes(), digest_size=16).hexdigest()
    release = ".".join(cv2.__version__.split(".")[:2])
    parts = {"encoder": kind, "words": digest, "size": 256, "opencv": release, "version": VERSION}
    assert encoder.fingerprint == fingerprint(**parts)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learnt_can_be_taken_over(kind, way):
    first = fitted(kind, **WAYS[way])
    other = open_encoder(str(first.spec))
    assert (other.fitted, other.fingerprint, other.dim) == (False, "", first.dim)
    other.load_state(first.state())
    assert other.fitted
    assert other.fingerprint == first.fingerprint
    np.testing.assert_array_equal(first.encode(SCENES), other.encode(SCENES))
    assert other.card.parameters == sum(array.size for array in first.state().values())
    smaller = open_encoder(f"{first.spec}&size=100")
    smaller.load_state(first.state())
    assert smaller.fingerprint != first.fingerprint
    with pytest.raises(BadShape, match="not one of 16 words"):
        other.load_state({"words": np.zeros((15, 128), np.float32)})
    with pytest.raises(BadShape, match="not one of 16 words"):
        other.load_state({})


def test_idf_is_learnt_and_kept_with_the_words():
    first, plain = fitted("orb", weight="tfidf"), fitted("orb")
    assert set(first.state()) == {"words", "idf"}
    assert set(plain.state()) == {"words"}
    other = open_encoder(str(first.spec))
    with pytest.raises(BadShape, match=r"an idf of shape \(0,\) is not one of 16 words"):
        other.load_state(plain.state())
    rarer = {**first.state(), "idf": first.state()["idf"] + 1}
    other.load_state(rarer)
    assert other.fingerprint != first.fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_without_words_nothing_is_encoded(kind):
    encoder = open_encoder(f"{KINDS[kind]}?words=8&sample=9")
    assert not encoder.fitted
    assert encoder.sample_size == 9
    assert encoder.state() == {}
    with pytest.raises(BadSpec, match="has not learnt its words yet"):
        encoder.encode(SCENES[:1])


def test_too_few_keypoints_for_the_words_are_refused():
    flat = np.full((60, 60, 3), 9, np.uint8)
    for pictures in ([], [flat], [flat, SCENES[0]]):
        with pytest.raises(BadSpec, match=r"keypoints, too few for 4,096 words") as caught:
            open_encoder("opencv:sift?words=4096").fit(pictures)
        assert "?words=" in caught.value.hint


def test_pictures_that_cannot_be_read_teach_nothing(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    for options in WAYS.values():
        extra = "".join(f"&{name}={value}" for name, value in options.items())
        encoder = open_encoder(f"opencv:orb?words=16{extra}")
        encoder.fit([*SCENES, broken])
        assert encoder.fingerprint == fitted("orb", **options).fingerprint


def test_a_sample_is_shared_out_among_the_pictures():
    encoder = open_encoder("opencv:sift?words=2")
    shares = [len(encoder._some(picture, at, 5)) for at, picture in enumerate(SCENES)]
    assert shares == [5] * len(SCENES)
    other = open_encoder("opencv:sift?words=2&seed=1")._some(SCENES[0], 0, 5)
    assert (other != encoder._some(SCENES[0], 0, 5)).any()
    everything = encoder.prepare(open_image(SCENES[0]))
    assert len(encoder._some(SCENES[0], 0, 10_000)) == len(everything)


def test_k_means_finds_clusters():
    draw = np.random.default_rng(0)
    middles = draw.standard_normal((4, 8)).astype(np.float32) * 20
    points = middles[draw.integers(0, 4, 400)] + draw.standard_normal((400, 8)).astype(np.float32)
    words = min(
        (learn_words(points, 4, seed, binary=False) for seed in range(5)),
        key=lambda words: np.linalg.norm(points - words[nearest(points, words)]),
    )
    gaps = np.linalg.norm(middles[:, None] - words[None], axis=2).min(axis=1)
    assert gaps.max() < 0.5


def test_k_means_ends_in_means_of_its_members():
    points = np.random.default_rng(1).standard_normal((200, 3)).astype(np.float32)
    words = learn_words(points, 5, 0, binary=False)
    members = nearest(points, words)
    for word in range(5):
        np.testing.assert_allclose(words[word], points[members == word].mean(0), atol=0.05)


def test_binary_words_are_majorities():
    bits = np.random.default_rng(2).integers(0, 2, (60, 32)).astype(np.float32) * 2 - 1
    words = learn_words(bits, 3, 0, binary=True)
    assert set(np.unique(words)) == {-1.0, 1.0}
    assert words.shape == (3, 32)


def test_equal_descriptors_leave_no_word_empty_of_meaning():
    points = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    words = learn_words(points, 6, 0, binary=False)
    assert np.isfinite(words).all()
    np.testing.assert_allclose(words.sum(axis=1), 1)


def test_nearest_takes_the_first_of_equals_and_goes_by_chunks():
    words = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    points = np.array([[2, 0], [0, 3]] * 5, np.float32)
    assert nearest(points, words, chunk=3).tolist() == [0, 1] * 5


# --- wrong use --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("opencv:sift?aggregate=fisher", "aggregate=fisher is not one of words, vlad"),
        ("opencv:orb?weight=idf", "weight=idf is not one of sqrt, tfidf"),
        ("opencv:fast?aggregate=vlad&weight=tfidf", "weight is for words that are counted"),
        ("mahotas:surf?aggregate=vlad&weight=sqrt", "weight is for words that are counted"),
        (
            "opencv:sift?aggregate=vlad&words=2000",
            "words=2000 is not a whole number from 2 to 1024",
        ),
        ("opencv:fast@output", "opencv:fast has no layers"),
        ("mahotas:surf@output", "mahotas:surf has no layers"),
        ("mahotas:sift", "no encoder mahotas:sift"),
        ("mahotas:surf?octaves=2", "mahotas:surf has no option 'octaves'"),
    ],
)
def test_wrong_specs_are_refused(spec, reason):
    with pytest.raises(BadSpec, match=reason):
        open_encoder(spec)


def test_without_mahotas_it_is_said_what_brings_it(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "likelens.values.extras.find_spec", lambda name: None if name == "mahotas" else find(name)
    )
    with pytest.raises(MissingExtra, match="mahotas is not installed") as caught:
        open_encoder("mahotas:surf?words=8")
    assert caught.value.hint == 'in the folder of likelens: pip install -e ".[classical]"'
    assert caught.value.where == "mahotas:surf?words=8"
