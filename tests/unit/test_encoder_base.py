import os
import threading
from pathlib import Path

import numpy as np
import pytest

from likelens.encoders.base import Encoder, cores, stack
from likelens.encoders.opening import ENCODERS, examples, open_encoder
from likelens.values.embeddings import EncoderCard
from likelens.values.errors import BadImage, BadShape, BadSpec
from likelens.values.spec import Spec

PICTURES = list(np.random.default_rng(0).integers(0, 256, (11, 5, 4, 3), np.uint8))


class Mean(Encoder):
    """The mean colour; notes which threads ran ``forward``, and on how many pictures."""

    def __init__(self, batch_size=4, parallel=True, answer=None):
        self.spec = Spec("test", "mean")
        self.card = EncoderCard("test:mean", "mark", 3)
        self.batch_size, self.parallel, self.answer = batch_size, parallel, answer
        self.calls = []

    def prepare(self, image):
        return image.mean(axis=(0, 1))

    def forward(self, prepared):
        self.calls.append((len(prepared), threading.get_ident()))
        return np.stack(prepared) if self.answer is None else self.answer(len(prepared))


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("batch_size", [1, 4, 11, 50])
def test_encode_keeps_order_and_fills_batches(parallel, batch_size):
    encoder = Mean(batch_size, parallel)
    made = encoder.encode(iter(PICTURES))
    np.testing.assert_allclose(made, [picture.mean((0, 1)) for picture in PICTURES], rtol=1e-6)
    assert made.dtype == np.float32
    assert max(count for count, _ in encoder.calls) <= batch_size
    assert len(encoder.calls) == -(-11 // batch_size)
    if not parallel:
        assert {thread for _, thread in encoder.calls} == {threading.get_ident()}


def test_nothing_gives_an_empty_matrix():
    assert Mean().encode([]).shape == (0, 3)


@pytest.mark.parametrize("parallel", [True, False])
def test_a_picture_that_cannot_be_read_is_named(tmp_path, parallel):
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    with pytest.raises(BadImage, match="no image that can be read") as caught:
        Mean(parallel=parallel).encode([*PICTURES, broken])
    assert caught.value.where == str(broken)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda n: np.zeros((n, 4)), r"shape \(4, 4\) for 4 images of dimension 3"),
        (lambda n: np.zeros((n + 1, 3)), r"shape \(5, 3\) for 4 images"),
        (lambda n: np.full((n, 3), np.nan), "4 of 4 vectors hold NaN or infinity"),
    ],
)
def test_answers_that_are_no_vectors_are_refused(answer, reason):
    with pytest.raises(BadShape, match=reason):
        Mean(answer=answer).encode(PICTURES)


def test_stack_gives_contiguous_float32():
    rows = np.zeros((3, 2), np.float64).T
    made = stack(rows, 2, Mean())
    assert made.dtype == np.float32
    assert made.flags["C_CONTIGUOUS"]


def test_a_source_that_is_none_is_refused():
    with pytest.raises(BadSpec, match="no encoder source 'tensorflow'"):
        open_encoder("tensorflow:resnet")


def test_examples_come_from_class_or_module():
    assert "opencv:colour?bins=4" in examples("opencv")
    assert examples("onnx") == ()
    assert "control" in ENCODERS.names()


def test_cores_are_those_this_process_may_use():
    assert 1 <= cores() <= os.cpu_count()


@pytest.mark.parametrize(
    "single",
    ["photo.jpg", b"\xff\xd8", Path("photo.jpg"), np.zeros((8, 8, 3), np.uint8), None, 3],
)
def test_a_single_image_is_refused_with_what_to_write(single):
    with pytest.raises(BadImage, match="takes a list of images") as caught:
        open_encoder("opencv:colour").encode(single)
    assert caught.value.hint.startswith("write encode([")
    if isinstance(single, str):
        assert caught.value.hint == "write encode(['photo.jpg'])[0]"


def test_arrays_of_several_images_are_taken():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 9, 8, 3), np.uint8)
    encoder = open_encoder("opencv:colour")
    np.testing.assert_array_equal(encoder.encode(pictures), encoder.encode(list(pictures)))
