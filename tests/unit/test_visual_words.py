import cv2
import numpy as np
import pytest

from likelens import open_encoder
from likelens.encoders.visual_words import learn_words, nearest
from likelens.images import open_image
from likelens.values.errors import BadShape, BadSpec

KINDS = ("sift", "orb")


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
    encoder = open_encoder(f"opencv:{kind}?words={words}{extra}")
    encoder.fit(SCENES)
    return encoder


# --- vectors ----------------------------------------------------------------------


def plain_descriptors(kind, picture):
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    detector = cv2.SIFT.create() if kind == "sift" else cv2.ORB.create(500)
    found = detector.detectAndCompute(grey, None)[1]
    return np.sqrt(found / found.sum(1, keepdims=True)) if kind == "sift" else found


@pytest.mark.parametrize("kind", KINDS)
def test_a_vector_is_the_root_of_the_share_of_each_word(kind):
    encoder = fitted(kind)
    words = encoder.state()["words"]
    made = encoder.encode(SCENES[:3])
    for vector, picture in zip(made, SCENES, strict=False):
        counts = np.zeros(len(words))
        for descriptor in plain_descriptors(kind, picture):
            if kind == "sift":
                distances = ((words - descriptor) ** 2).sum(1)
            else:  # Hamming, from the bits
                bits = np.unpackbits(descriptor)
                distances = [(bits != (word > 0)).sum() for word in words]
            counts[np.argmin(distances)] += 1
        np.testing.assert_allclose(vector**2, counts / counts.sum(), atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(vector), 1, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_turned_or_brighter_view_is_nearer_than_another_scene(kind):
    encoder = fitted(kind, words=24)
    gallery = encoder.encode(SCENES)
    for view in (lambda p: np.rot90(p).copy(), lambda p: (p * 0.8 + 20).astype(np.uint8)):
        queries = encoder.encode([view(picture) for picture in SCENES])
        ranks = (queries @ gallery.T).argsort(axis=1)[:, ::-1]
        assert (ranks[:, 0] == np.arange(len(SCENES))).mean() > 0.7


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (10, 10_000), (40, 40), (7, 200)])
def test_a_picture_without_keypoints_gets_zeros(kind, size):
    flat = np.full((*size, 3), 130, np.uint8)
    made = fitted(kind).encode([flat, SCENES[0]])
    assert not made[0].any()
    assert made[1].any()


def test_large_pictures_are_bounded():
    encoder = open_encoder("opencv:sift?words=4&size=64")
    encoder.fit(SCENES)
    large = cv2.resize(SCENES[0], (1400, 1200))
    assert 0 < len(encoder.prepare(large)) < 100


# --- learning ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_learning_is_deterministic_and_heeds_seed_and_options(kind):
    first, again = fitted(kind), fitted(kind)
    assert first.fingerprint == again.fingerprint
    np.testing.assert_array_equal(first.encode(SCENES), again.encode(SCENES))
    others = [fitted(kind, seed=1), fitted(kind, words=17), fitted(kind, size=100)]
    assert len({first.fingerprint, *(other.fingerprint for other in others)}) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learnt_can_be_taken_over(kind):
    first = fitted(kind)
    other = open_encoder(str(first.spec))
    assert (other.fitted, other.fingerprint, other.dim) == (False, "", 16)
    other.load_state(first.state())
    assert other.fitted
    assert other.fingerprint == first.fingerprint
    np.testing.assert_array_equal(first.encode(SCENES), other.encode(SCENES))
    assert other.card.parameters == first.state()["words"].size
    smaller = open_encoder(f"{first.spec}&size=100")
    smaller.load_state(first.state())
    assert smaller.fingerprint != first.fingerprint
    with pytest.raises(BadShape, match="not one of 16 words"):
        other.load_state({"words": np.zeros((15, 128), np.float32)})
    with pytest.raises(BadShape, match="not one of 16 words"):
        other.load_state({})


@pytest.mark.parametrize("kind", KINDS)
def test_without_words_nothing_is_encoded(kind):
    encoder = open_encoder(f"opencv:{kind}?words=8&sample=9")
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
        assert "?words=" in caught.value.mend


def test_pictures_that_cannot_be_read_teach_nothing(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    encoder = open_encoder("opencv:sift?words=16")
    encoder.fit([*SCENES, broken])
    assert encoder.fitted


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
