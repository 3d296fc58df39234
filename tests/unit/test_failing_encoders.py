"""An encoder that fails, in whatever way, is missing with its reason; the others are measured."""

import json
import logging
import warnings

import numpy as np
import pytest

from likelens import Catalogue, compare, discover, embed, garments, open_encoder
from likelens._embed import fill, fill_all
from likelens._embed.jobs import TRIES
from likelens._pooling import pool_catalogue
from likelens._stress import stress
from likelens.encoders.base import Encoder
from likelens.encoders.opening import ENCODERS, open_encoders
from likelens.encoders.vectors import write_vectors
from likelens.reproduce import engine
from likelens.store.memory import MemoryStore
from likelens.values.embeddings import EncoderCard
from likelens.values.errors import BadShape, BadSpec, EncoderFailed, LikelensError
from likelens.values.qrels import Judgements

GOOD = ["opencv:colour?bins=2", "opencv:hog?size=32"]
ITEMS = 24


class Faulty(Encoder):
    """The mean colour, or a fault."""

    def __init__(self, spec):
        self.spec, self.kind = spec, spec.identifier
        self.card = EncoderCard(str(spec), f"faulty {self.kind}", 3)
        if self.kind == "open":
            raise RuntimeError("no such layer inside")
        if self.kind == "type":
            raise TypeError("expected str, got list")
        if self.kind == "memory-open":
            raise MemoryError
        if self.kind == "noisy":
            warnings.warn(
                "QuickGELU mismatch between model\nand weights", UserWarning, stacklevel=2
            )
            warnings.warn("old name", DeprecationWarning, stacklevel=2)
            logging.getLogger("some.library").warning("weights of %s are ignored", "the head")

    def expect(self, count, encoders):
        if self.kind == "expect":
            raise BadShape("it cannot be exported", where="faulty", hint="none")

    def prepare(self, image):
        if self.kind == "prepare":
            raise ValueError("cannot prepare this")
        return image.mean(axis=(0, 1), dtype=np.float32)

    def forward(self, prepared):
        answer = np.stack(prepared)
        if self.kind == "raises":
            raise RuntimeError("the kernel died")
        if self.kind == "memory":
            raise MemoryError
        if self.kind == "ours":
            raise BadShape("values overflowed in float16", where="faulty", hint="use bfloat16")
        if self.kind == "shape":
            return answer[:, :2]
        if self.kind == "nan":
            return answer * np.nan
        return answer


FAULTS = {
    "raises": "the kernel died",
    "memory": "MemoryError",
    "ours": "values overflowed",
    "shape": "vectors of shape",
    "nan": "NaN or infinity",
    "prepare": "cannot prepare this",
    "expect": "cannot be exported",
    "open": "no such layer inside",
    "type": "expected str, got list",
    "memory-open": "too little memory",
}


@pytest.fixture(autouse=True)
def _source(monkeypatch):
    monkeypatch.setitem(ENCODERS._places, "faulty", f"{__name__}:Faulty")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return garments.create(tmp_path_factory.mktemp("g"), items=ITEMS, size=48, seed=3)


@pytest.fixture(scope="module")
def catalogue(source):
    return Catalogue.open(source)


@pytest.mark.parametrize("kind", FAULTS)
def test_compare_measures_the_others(catalogue, kind):
    spec = f"faulty:{kind}"
    board = compare(catalogue, [GOOD[0], spec, GOOD[1], f"control:shuffled?of={spec}"])
    assert {entry.card.name for entry in board.entries} == set(GOOD)
    assert board.missing.keys() == {spec, f"control:shuffled?of={spec}"}
    assert FAULTS[kind] in board.missing[spec]
    with pytest.raises(LikelensError, match=FAULTS[kind]):
        compare(catalogue, [spec])


@pytest.mark.parametrize("kind", FAULTS)
def test_every_way_of_measuring_goes_on(catalogue, kind):
    spec, store = f"faulty:{kind}", MemoryStore()
    places = [(a, b) for a in range(6) for b in range(6) if a != b]
    asked, found = ([catalogue.ids[pair[side]] for pair in places] for side in (0, 1))
    judged = Judgements(tuple(asked), tuple(found), np.array([sum(pair) % 2 for pair in places]))
    lineup = [*GOOD, spec]
    for found in (
        discover(catalogue, lineup, judged, store, k=3, pool_k=3),
        pool_catalogue(catalogue, lineup, store, k=3, sample=4),
    ):
        assert FAULTS[kind] in found.missing[spec]
    strained = stress(catalogue, lineup, store, levels=(1,), kinds=("blur",), max_queries=5)
    assert {curve.encoder for curve in strained.curves} == set(GOOD)
    assert any(spec in note for note in strained.notes)
    found = engine(catalogue, lineup, per_class=1, k=2)
    assert [(row.spec, FAULTS[kind] in reason) for row, reason in found.missing] == [(spec, True)]


def test_a_way_to_write_a_spec_wrong_is_still_wrong_use(catalogue):
    for spec in ("nothing:x", "opencv:colour?bin=3", "opencv:colours"):
        with pytest.raises(BadSpec):
            compare(catalogue, [*GOOD, spec])


def test_files_that_are_no_models_are_missing(catalogue, tmp_path):
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "ids.npz").write_bytes(b"PK")
    specs = [f"onnx:{tmp_path}/{name}.onnx" for name in ("text", "empty", "absent")]
    specs += [f"vectors:{tmp_path}/{name}.npz" for name in ("ids", "absent")]
    board = compare(catalogue, [GOOD[0], *specs])
    assert board.missing.keys() == set(specs)


def test_an_encoder_with_too_few_vectors_is_missing(catalogue, tmp_path):
    few = tmp_path / "few.npz"
    write_vectors(few, catalogue.ids[:2], np.eye(2, 3, dtype=np.float32))
    board = compare(catalogue, [*GOOD, f"vectors:{few}"])
    assert "vectors of 2 items only" in board.missing[f"vectors:{few}"]
    assert len(board.entries) == 2


def test_the_run_tells_why_and_a_single_encoder_raises(catalogue):
    store = MemoryStore()
    lineup = [open_encoder(spec) for spec in (GOOD[0], "faulty:ours", "faulty:nan")]
    good, ours, blank = fill_all(catalogue, lineup, store)
    assert (good.error, good.embedded) == (None, ITEMS)
    assert isinstance(ours.error, BadShape)
    assert not ours.failures
    assert blank.error is None
    assert blank.empty
    with pytest.raises(BadShape, match="overflowed"):
        fill(catalogue, lineup[1], MemoryStore())


def test_a_hopeless_encoder_is_given_up(tmp_path):
    many = Catalogue.open(garments.create(tmp_path, items=TRIES + 40, size=32))
    (run,) = fill_all(many, [open_encoder("faulty:raises")], MemoryStore())
    assert "the kernel died" in run.error.what
    assert len(run.failures) < TRIES + 40


def test_python_gets_an_error_of_ours(catalogue):
    picture = np.full((8, 8, 3), 9, np.uint8)
    for kind in ("raises", "memory", "shape", "nan", "ours"):
        with pytest.raises(LikelensError):
            open_encoder(f"faulty:{kind}").encode([picture])
    with pytest.raises(EncoderFailed, match="no such layer inside"):
        open_encoder("faulty:open")


@pytest.mark.filterwarnings("ignore")
def test_what_is_warned_of_is_noted(catalogue, caplog):
    encoder = open_encoder("faulty:noisy")
    expected = ("QuickGELU mismatch between model and weights", "weights of the head are ignored")
    assert encoder.notes == expected
    board = compare(catalogue, [GOOD[0], "faulty:noisy"])
    assert {f"faulty:noisy: {note}" for note in expected} <= set(board.notes)
    both, _ = open_encoders(["faulty:noisy", GOOD[0]])
    assert [one.notes for one in both] == [expected, ()]


def test_warnings_are_given_all_the_same():
    with (
        pytest.warns(UserWarning, match="QuickGELU"),
        pytest.warns(DeprecationWarning, match="old"),
    ):
        open_encoder("faulty:noisy")


def test_the_command_line(source, likelens, tmp_path):
    code, out, err = likelens(
        "evaluate", source, "-e", GOOD[0], "faulty:raises", "--out", tmp_path / "o", "--json"
    )
    found = json.loads(out)
    missing = {row["encoder"] for row in found["leaderboard"] if row["missing"]}
    assert (code, missing) == (0, {"faulty:raises"}), err
    store = tmp_path / "store"
    for kind in ("raises", "ours", "open"):
        code, out, err = likelens(
            "embed", source, "--store", store, "-e", GOOD[0], f"faulty:{kind}"
        )
        assert (code, FAULTS[kind] in err) == (0, True), err
        code, _, err = likelens("embed", source, "--store", tmp_path / kind, "-e", f"faulty:{kind}")
        assert code in (1, 2)
        assert FAULTS[kind] in err


@pytest.mark.parametrize("named", [5, b"opencv:colour", None])
def test_what_is_no_name_of_an_encoder_is_refused(catalogue, named):
    for ask in (
        lambda: compare(catalogue, [GOOD[0], named]),
        lambda: embed(catalogue, named, MemoryStore()),
    ):
        with pytest.raises(BadSpec, match="is not the name of an encoder"):
            ask()
    with pytest.raises(LikelensError):
        compare(catalogue, named)
