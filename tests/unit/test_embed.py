import itertools
import os
import shutil
import subprocess
import sys
import threading
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import paint
from likelens import Catalogue, Searcher, embed, open_store, search
from likelens._embed import fill
from likelens.encoders.base import Encoder, FittedEncoder
from likelens.images import open_image
from likelens.values.embeddings import EncoderCard
from likelens.values.errors import BadShape, BadTable, FingerprintMismatch, StoreBroken
from likelens.values.spec import Spec


class MeanColour(Encoder):
    """The mean of each channel; counts what it is asked."""

    def __init__(self, version=1, batch_size=3, parallel=True):
        self.spec = Spec("test", "mean")
        self.card = EncoderCard("test:mean", f"version{version}", 3)
        self.batch_size, self.parallel = batch_size, parallel
        self.seen = 0

    def prepare(self, image):
        self.seen += 1
        return image.mean(axis=(0, 1))

    def forward(self, prepared):
        return np.stack(prepared)


class Centred(FittedEncoder, MeanColour):
    """Mean colour minus that of a sample."""

    def __init__(self):
        super().__init__()
        self.spec = Spec("test", "centred", None, {"seed": "1"})
        self.centre = None

    @property
    def fitted(self):
        return self.centre is not None

    @property
    def sample_size(self):
        return 5

    def fit(self, images):
        self._take(np.mean([self.prepare(open_image(image)) for image in images], axis=0))

    def state(self):
        return {"centre": self.centre}

    def load_state(self, state):
        self._take(state["centre"])

    def _take(self, centre):
        self.centre = centre
        self.card = EncoderCard(str(self.spec), f"centre {centre.round(6)}", 3)

    def forward(self, prepared):
        return np.stack(prepared) - self.centre


@pytest.fixture
def catalogue(shop):
    return Catalogue.open(shop, tags=["kind"])


def expected(catalogue):
    return MeanColour().encode(catalogue.paths)


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_vectors_are_in_catalogue_order(catalogue, tmp_path, where, parallel):
    store = None if where == "memory" else tmp_path / "store"
    made = embed(catalogue, MeanColour(parallel=parallel), store)
    assert made.ids == catalogue.ids
    assert made.vectors.dtype == np.float32
    np.testing.assert_array_equal(made.vectors, expected(catalogue))
    assert made.fingerprint == "version1"
    assert len(made.failures) == 0
    assert made.images_per_second > 0


def test_a_second_run_does_nothing(catalogue, tmp_path):
    embed(catalogue, MeanColour(), tmp_path / "store")
    again = MeanColour()
    run = fill(catalogue, again, open_store(tmp_path / "store"))
    assert (run.embedded, run.kept, again.seen) == (0, 8, 0)


def test_items_are_added_and_updated_and_only_a_sync_removes(catalogue, tmp_path):
    store = open_store(tmp_path / "store")
    fill(catalogue, MeanColour(), store)
    paint(catalogue.paths[2], 102)
    paint(tmp_path / "images" / "8.png", 8)
    table = tmp_path / "part.csv"
    table.write_text("id,kind,stock\n2,boot,7\n8,shoe,1\n")
    part = Catalogue.open(table, images=tmp_path / "images")
    run = fill(part, MeanColour(), store)
    assert (run.embedded, run.kept, run.forgotten) == (2, 0, 0)
    items = store.items()
    assert items["id"].to_pylist() == [*catalogue.ids, "8"]
    assert items["kind"].to_pylist() == ["shirt"] * 2 + ["boot", "shirt"] + ["shoe"] * 5
    assert items["price"].to_pylist() == [*(number + 0.5 for number in range(8)), None]
    assert items["stock"].to_pylist() == [None, None, 7, *[None] * 5, 1]
    whole = store.catalogue()
    made = store.embeddings("test:mean", whole.ids)
    np.testing.assert_array_equal(made.vectors, expected(whole))
    run = fill(part, MeanColour(), store, sync=True)
    assert (run.embedded, run.kept, run.forgotten) == (0, 2, 7)
    assert run.removed == [item for item in catalogue.ids if item != "2"]
    assert run.removed_columns == ["colour", "price"]
    assert store.items()["id"].to_pylist() == ["2", "8"]
    back = MeanColour()
    assert fill(catalogue, back, store).embedded == back.seen == 0, "vectors stay, by content"


def test_a_column_of_another_type_is_refused_before_anything_changes(catalogue, tmp_path):
    store = open_store(tmp_path / "store")
    fill(catalogue, MeanColour(), store)
    table = tmp_path / "part.csv"
    table.write_text("id,price\n2,7\n")
    fill(Catalogue.open(table, images=tmp_path / "images"), MeanColour(), store)
    assert store.items()["price"].to_pylist()[2] == 7.0, "whole numbers join others"
    before = store.items()
    table.write_text("id,price\n2,cheap\n")
    with pytest.raises(BadTable, match="'price' holds double in the store and string") as caught:
        fill(Catalogue.open(table, images=tmp_path / "images"), MeanColour(), store)
    assert "--sync" in caught.value.hint
    assert store.items().equals(before)


@pytest.mark.parametrize("fault", ["gone", "empty", "garbage"])
def test_unreadable_images_remove_nothing(catalogue, tmp_path, fault):
    store = open_store(tmp_path / "store")
    made = embed(catalogue, MeanColour(), store)
    before = store.items()
    for path in catalogue.paths:
        path.unlink() if fault == "gone" else path.write_bytes(b"" if fault == "empty" else b"GIF")
    run = fill(catalogue, MeanColour(), store, sync=True)
    assert len(run.failures) == 8
    assert store.items().equals(before)
    again = store.embeddings("test:mean", catalogue.ids)
    np.testing.assert_array_equal(again.vectors, made.vectors)
    assert len(again.failures) == 8
    for number, path in enumerate(catalogue.paths):
        paint(path, number)
    encoder = MeanColour()
    assert len(embed(catalogue, encoder, store).failures) == encoder.seen == 0


def test_a_touched_file_is_not_embedded_again(catalogue, tmp_path):
    store = open_store(tmp_path / "store")
    fill(catalogue, MeanColour(), store)
    for path in catalogue.paths:
        os.utime(path, (1, 1))
    assert fill(catalogue, MeanColour(), store).embedded == 0


def test_a_slow_disk_is_looked_at_in_threads_and_gives_the_same(many, tmp_path, monkeypatch):
    from likelens._embed import survey

    quick = survey.survey_files(many, open_store(None), lambda *_: None)
    monkeypatch.setattr(survey, "_QUICK", 0.0)
    monkeypatch.setattr(survey, "_LOOKS", 7)
    monkeypatch.setattr(survey, "_PIECE", 60)
    threads, real = [], survey._look

    def noted(*given):
        threads.append(threading.get_ident())
        return real(*given)

    monkeypatch.setattr(survey, "_look", noted)
    store = open_store(tmp_path / "store")
    slow = survey.survey_files(many, store, lambda *_: None)
    np.testing.assert_array_equal(slow.digests, quick.digests)
    assert slow.files.equals(quick.files)
    assert set(threads[:7]) == {threading.get_ident()}
    assert threading.get_ident() not in threads[7:]


def test_items_are_written_in_pieces_and_replaced_as_a_whole(many, tmp_path, monkeypatch):
    import likelens.store.lance as module
    import likelens.store.tables as tables

    monkeypatch.setattr(module, "PIECE_BYTES", 2000)
    store = open_store(tmp_path / "store")
    fill(many, MeanColour(), store)
    before = store.items()
    place = tmp_path / "store" / "items.lance"
    assert len(tables.lance.dataset(place).get_fragments()) > 5
    turned = before.take(list(range(len(before)))[::-1])

    def killed():
        yield from turned.to_batches(max_chunksize=50)[:4]
        raise OSError("no space left on device")

    batches = module.pa.RecordBatchReader.from_batches(turned.schema, killed())
    with pytest.raises(OSError, match="no space left"):
        tables.lance.write_dataset(batches, place, mode="overwrite", max_rows_per_file=20)
    assert store.items().equals(before)
    store.put_items(turned)
    assert store.items().equals(turned)
    kept = list((place / "data").iterdir())
    assert len(kept) == len(tables.lance.dataset(place).get_fragments())


def test_identical_files_are_embedded_once(catalogue, tmp_path):
    for name in ("3", "6"):
        shutil.copy(catalogue.paths[1], tmp_path / "images" / f"{name}.png")
    encoder = MeanColour()
    run = fill(catalogue, encoder, open_store(tmp_path / "store"))
    assert (run.embedded, run.copied, encoder.seen) == (6, 2, 6)
    made = embed(catalogue, encoder, tmp_path / "store")
    assert made.ids == catalogue.ids
    np.testing.assert_array_equal(made.vectors, expected(catalogue))


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_what_changes_during_a_run_gets_no_vector_of_something_else(catalogue, tmp_path, where):
    paths = catalogue.paths
    shutil.copy(paths[3], paths[5])

    def meddle(label, done, total):
        if label == "looking at files" and done == total:
            paint(paths[3], 99)  # 5 is still as 3 was
            swap(paths[1], paths[2])
            paths[7].unlink()

    store = open_store(None if where == "memory" else tmp_path / "store")
    run = fill(catalogue, MeanColour(), store, progress=meddle)
    assert [item for item, _, _ in run.failures] == ["1", "2", "3", "5", "7"]
    assert "which was the same file" in run.failures[3][2]
    assert run.failures[3][1] == str(paths[5])
    paint(paths[7], 7)
    made = embed(catalogue, MeanColour(), store)
    np.testing.assert_array_equal(made.vectors, expected(catalogue))


def swap(one, other):
    """Let two files change names, and nothing else."""
    aside = one.with_suffix(".aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def test_files_of_one_size_and_time_that_change_names_are_known(tmp_path):
    for number in range(3):
        paint(tmp_path / "images" / f"{number}.bmp", number)
        os.utime(tmp_path / "images" / f"{number}.bmp", (1, 1))
    embed(Catalogue.open(tmp_path / "images"), MeanColour(), tmp_path / "store")
    swap(tmp_path / "images" / "0.bmp", tmp_path / "images" / "2.bmp")
    catalogue = Catalogue.open(tmp_path / "images")
    made = embed(catalogue, MeanColour(), tmp_path / "store")
    np.testing.assert_array_equal(made.vectors, expected(catalogue))


def test_a_later_copy_gets_the_vector_that_is_there(catalogue, tmp_path):
    fill(catalogue, MeanColour(), open_store(tmp_path / "store"))
    shutil.copy(catalogue.paths[1], catalogue.paths[4])
    encoder = MeanColour()
    run = fill(catalogue, encoder, open_store(tmp_path / "store"))
    assert (run.embedded, run.kept, encoder.seen) == (0, 8, 0)
    made = embed(catalogue, encoder, tmp_path / "store")
    np.testing.assert_array_equal(made.vectors[4], made.vectors[1])


def test_broken_pictures_are_set_aside_wherever_they_stand(catalogue, tmp_path):
    catalogue.paths[0].write_bytes(b"")
    catalogue.paths[4].write_text("not a picture")
    data = catalogue.paths[7].read_bytes()
    catalogue.paths[7].write_bytes(data[: len(data) // 2])
    made = embed(catalogue, MeanColour(), tmp_path / "store")
    good = [item for item in catalogue.ids if item not in "047"]
    assert list(made.ids) == good
    np.testing.assert_array_equal(
        made.vectors, MeanColour().encode([catalogue.paths[int(item)] for item in good])
    )
    failures = made.failures.to_pylist()
    assert [row["id"] for row in failures] == ["0", "4", "7"]
    assert all(row["reason"] and row["path"].endswith(".png") for row in failures)
    kept = next((tmp_path / "store").glob("encoders/*/failures.parquet"))
    assert pq.read_table(kept).equals(made.failures)


def test_a_mended_picture_joins(catalogue, tmp_path):
    good = catalogue.paths[3].read_bytes()
    catalogue.paths[3].write_bytes(b"")
    assert len(embed(catalogue, MeanColour(), tmp_path / "store")) == 7
    catalogue.paths[3].write_bytes(good)
    made = embed(catalogue, MeanColour(), tmp_path / "store")
    assert made.ids == catalogue.ids
    assert len(made.failures) == 0


def test_only_broken_pictures(catalogue, tmp_path):
    for path in catalogue.paths:
        path.write_bytes(b"no")
    made = embed(catalogue, MeanColour(), tmp_path / "store")
    assert made.vectors.shape == (0, 3)
    assert len(made.failures) == 8


def test_a_vector_that_is_not_finite_is_set_aside(catalogue):
    class Poisoned(MeanColour):
        def forward(self, prepared):
            rows = super().forward(prepared)
            rows[np.isclose(rows[:, 0], expected(catalogue)[5, 0])] = np.nan
            return rows

    made = embed(catalogue, Poisoned())
    assert [row["id"] for row in made.failures.to_pylist()] == ["5"]
    assert made.ids == tuple(item for item in catalogue.ids if item != "5")


def test_an_encoder_that_answers_wrongly_is_refused(catalogue):
    class Short(MeanColour):
        def forward(self, prepared):
            return super().forward(prepared)[:, :2]

    with pytest.raises(BadShape, match=r"shape \(3, 2\) for 3 images of dimension 3"):
        embed(catalogue, Short())


def test_two_fingerprints_never_mix(catalogue, tmp_path):
    embed(catalogue, MeanColour(), tmp_path / "store")
    with pytest.raises(FingerprintMismatch, match="fingerprint version1, now version2"):
        embed(catalogue, MeanColour(version=2), tmp_path / "store")
    made = embed(catalogue, MeanColour(version=2), tmp_path / "store", overwrite=True)
    assert made.fingerprint == "version2"


def test_another_name_for_the_same_encoder_finds_its_vectors(catalogue, tmp_path):
    embed(catalogue, MeanColour(), tmp_path / "store")
    alias = MeanColour()
    alias.card = EncoderCard("test:other-name", "version1", 3)
    assert fill(catalogue, alias, open_store(tmp_path / "store")).kept == 8


def test_a_folder_that_is_no_store(tmp_path):
    (tmp_path / "file.txt").write_text("x")
    for place in (tmp_path, tmp_path / "file.txt"):
        with pytest.raises(StoreBroken, match="no likelens store"):
            open_store(place)
    with pytest.raises(StoreBroken, match="no store here"):
        open_store(tmp_path / "gone", create=False)


@pytest.mark.parametrize("mark", ["{", "[]", '{"format": 99}'])
def test_a_damaged_or_newer_store(tmp_path, mark):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "store.json").write_text(mark)
    with pytest.raises(StoreBroken, match=r"cannot be read|has format 99"):
        open_store(tmp_path / "store")


def test_only_one_writes(catalogue, tmp_path):
    store = open_store(tmp_path / "store")
    with store.writing(), pytest.raises(StoreBroken, match="another run is writing"):
        fill(catalogue, MeanColour(), open_store(tmp_path / "store"))


def test_a_fitted_encoder_learns_once(catalogue, tmp_path):
    made = embed(catalogue, Centred(), tmp_path / "store")
    paint(tmp_path / "images" / "9.png", 90)
    (tmp_path / "shop.csv").write_text((tmp_path / "shop.csv").read_text() + "9,red,shoe,1\n")
    again = embed(Catalogue.open(tmp_path / "shop.csv"), Centred(), tmp_path / "store")
    assert again.fingerprint == made.fingerprint
    np.testing.assert_array_equal(again.vectors[:8], made.vectors)


def test_progress_ends_with_everything_done(catalogue):
    steps = []
    embed(catalogue, MeanColour(), progress=lambda *step: steps.append(step))
    assert steps[-1][1] == steps[-1][2] == 8


def test_the_store_is_compacted(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr("likelens._embed.jobs.COMMIT_ROWS", 1)
    embed(catalogue, MeanColour(), tmp_path / "store")
    tables = next((tmp_path / "store").glob("encoders/*/vectors.lance/data"))
    assert len(list(tables.iterdir())) == 1


def test_an_odd_picture_or_a_fault_of_the_network_ends_nothing(catalogue):
    class Fragile(MeanColour):
        def prepare(self, image):
            if np.allclose(image.mean(axis=(0, 1)), expected(catalogue)[2]):
                raise RuntimeError("odd size")
            return super().prepare(image)

        def forward(self, prepared):
            if any(np.allclose(one, expected(catalogue)[5]) for one in prepared):
                raise RuntimeError("no kernel")
            return super().forward(prepared)

    made = embed(catalogue, Fragile())
    good = [int(item) for item in catalogue.ids if item not in "25"]
    assert [row["id"] for row in made.failures.to_pylist()] == ["2", "5"]
    assert made.failures["reason"].to_pylist() == [
        "RuntimeError from the encoder: odd size",
        "RuntimeError from the encoder: no kernel",
    ]
    np.testing.assert_array_equal(made.vectors, expected(catalogue)[good])


class Killed(BaseException):
    """Stands for kill -9: nothing may be done after it."""


STEPS = ("put_items", "create", "append", "finish")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_run_killed_around_any_call_of_the_store_goes_on(
    catalogue, tmp_path, monkeypatch, step, when
):
    from likelens.store.lance import LanceStore

    monkeypatch.setattr("likelens._embed.jobs.COMMIT_ROWS", 3)
    real = getattr(LanceStore, step)
    calls = []

    def dies(self, *given, **named):
        calls.append(step)
        if when == "before" or len(calls) > 1:
            raise Killed
        real(self, *given, **named)
        raise Killed

    monkeypatch.setattr(LanceStore, step, dies)
    with pytest.raises(Killed):
        fill(catalogue, MeanColour(), open_store(tmp_path / "store"))
    monkeypatch.setattr(LanceStore, step, real)
    made = embed(catalogue, MeanColour(), tmp_path / "store")
    assert made.ids == catalogue.ids
    np.testing.assert_array_equal(made.vectors, expected(catalogue))
    tables = next((tmp_path / "store").glob("encoders/*/vectors.lance/data"))
    assert len(list(tables.iterdir())) == 1, "compacted in the end"
    kept = open_store(tmp_path / "store").known("test:mean")
    assert len(kept) == len(set(kept.to_pylist())) == 8, "no row twice"


def test_a_store_cut_off_while_it_was_made(catalogue, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "lock").touch()
    (tmp_path / "store" / ".store.json.1.part").touch()
    (tmp_path / "store2" / "items.lance" / "data").mkdir(parents=True)
    (tmp_path / "store2" / "store.json").write_text('{"format": 1}')
    for name in ("store", "store2"):
        assert embed(catalogue, MeanColour(), tmp_path / name).ids == catalogue.ids


@pytest.mark.parametrize("name", ["card.json", "run.json", "vectors.lance"])
def test_a_damaged_part_is_named(catalogue, tmp_path, name):
    embed(catalogue, MeanColour(), tmp_path / "store")
    part = next((tmp_path / "store").glob(f"encoders/*/{name}"))
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.write_bytes(b"{")
    with pytest.raises(StoreBroken, match="a part of the store"):
        embed(catalogue, MeanColour(), tmp_path / "store")


@pytest.mark.parametrize("name", ["card.json", "run.json", "vectors.lance"])
def test_overwriting_one_encoder_mends_its_damaged_part(catalogue, tmp_path, name):
    embed(catalogue, "control:random?dim=4", tmp_path / "store")
    made = embed(catalogue, MeanColour(), tmp_path / "store")
    part = next((tmp_path / "store").glob(f"encoders/test-mean*/{name}"))
    if part.is_dir():
        shutil.rmtree(part / "data")
    else:
        part.write_bytes(b"{")
    with pytest.raises(StoreBroken, match="--overwrite -e 'test:mean'"):
        embed(catalogue, MeanColour(), tmp_path / "store")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert len(search(tmp_path / "store", "1", "control:random?dim=4", k=3)) == 3
    assert bool(told) == (name == "card.json"), "the others go on, and the damage is told"
    again = embed(catalogue, MeanColour(), tmp_path / "store", overwrite=True)
    np.testing.assert_array_equal(again.vectors, made.vectors)


def damage_items(store):
    """Overwrite a part of the items' file."""
    file = next((store / "items.lance" / "data").iterdir())
    whole = bytearray(file.read_bytes())
    whole[100:130] = b"\xff" * 30
    file.write_bytes(bytes(whole))


@pytest.fixture
def many(tmp_path):
    """A catalogue whose items take more than a few bytes to list."""
    lines = ["id,kind"]
    for number in range(300):
        paint(tmp_path / "images" / f"{number}.png", number % 40, (4, 4))
        lines.append(f"{number},k{number % 8}")
    (tmp_path / "many.csv").write_text("\n".join(lines) + "\n")
    return Catalogue.open(tmp_path / "many.csv")


def test_damaged_vectors_are_one_sentence_and_can_be_made_anew(many, tmp_path, monkeypatch):
    store = open_store(tmp_path / "store")
    embed(many, MeanColour(), store)
    read = type(store).vectors

    def damaged(self, name, digests):
        found, vectors = read(self, name, digests)
        return found, np.full_like(vectors, np.nan)

    monkeypatch.setattr(type(store), "vectors", damaged)
    with pytest.raises(StoreBroken, match=r"300 of 300 vectors hold NaN.*\n.*\n.*--overwrite -e"):
        store.embeddings("test:mean", many.ids)


def test_a_damaged_table_of_items_is_one_sentence_and_costs_no_vector(many, tmp_path):
    store = tmp_path / "store"
    embed(many, MeanColour(), store)
    damage_items(store)
    for read in (
        lambda: Searcher(store, MeanColour()),
        lambda: embed(many, MeanColour(), store),
        lambda: open_store(store).matching("kind = 'k1'"),
    ):
        with pytest.raises(StoreBroken, match="a part of the store") as caught:
            read()
        assert "items.lance" in caught.value.where
    assert "the vectors are kept" in caught.value.hint
    shutil.rmtree(store / "items.lance")
    run = fill(many, MeanColour(), open_store(store))
    assert (run.embedded, run.kept) == (0, 300)


def test_a_filter_that_is_asked_while_the_items_are_replaced_is_asked_again(
    many, tmp_path, monkeypatch
):
    import lance

    store = open_store(tmp_path / "store")
    embed(many, MeanColour(), store)
    expected, read, failed = store.matching("kind = 'k1'"), lance.LanceDataset.to_table, []

    def replaced_meanwhile(dataset, *given, **more):
        if not failed:
            failed.append(True)
            with store.writing():
                store.put_items(store.items().slice(1))
            raise OSError("Not found: a file of the version before")
        return read(dataset, *given, **more)

    monkeypatch.setattr(lance.LanceDataset, "to_table", replaced_meanwhile)
    first = many.ids[0]
    assert store.matching("kind = 'k1'") == [item for item in expected if item != first]
    assert failed


def test_a_panic_in_the_tables_library_is_one_sentence(many, tmp_path, monkeypatch):
    import lance

    class PanicException(BaseException):
        """As the bindings of Rust name theirs."""

    def panic(*_given, **_more):
        raise PanicException("range end index 9 out of range")

    embed(many, MeanColour(), tmp_path / "store")
    monkeypatch.setattr(lance, "dataset", panic)
    with pytest.raises(StoreBroken, match="range end index 9"):
        open_store(tmp_path / "store").items()


KILLED = """
import os, sys, threading
sys.path.insert(0, {tests!r})
import likelens._embed.jobs
from likelens import Catalogue, open_store
from unit.test_embed import MeanColour

likelens._embed.jobs.COMMIT_ROWS = 4

class Telling(MeanColour):
    def prepare(self, image):
        os.write(1, b"image\\n")
        if self.seen > {images} + 4:  # it is killed before it gets to the end
            threading.Event().wait()
        return super().prepare(image)

likelens._embed.fill(Catalogue.open({table!r}), Telling(), open_store({store!r}))
"""


@pytest.mark.parametrize("images", [1, 9, 22, 41])
def test_a_killed_run_goes_on_where_it_was(tmp_path, images):
    for number in range(60):
        paint(tmp_path / "images" / f"{number:02}.png", number)
    table = tmp_path / "t.csv"
    table.write_text("id\n" + "".join(f"{number:02}\n" for number in range(60)))
    place = tmp_path / "store"
    tests = str(Path(__file__).parent.parent)
    script = KILLED.format(tests=tests, table=str(table), store=str(place), images=images)
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tests) as child:
        for _ in range(images):
            assert child.stdout.readline() == b"image\n"
        child.kill()

    catalogue = Catalogue.open(table)
    store = open_store(place)
    before = len(store.known("test:mean")) if store.cards() else 0
    assert before < 60
    encoder = MeanColour()
    run = fill(catalogue, encoder, store)
    assert run.kept == before
    assert encoder.seen == 60 - before, "nothing is done twice but the chunk that was lost"
    made = store.embeddings("test:mean", catalogue.ids)
    assert made.ids == catalogue.ids
    np.testing.assert_array_equal(made.vectors, expected(catalogue))


def test_attributes_whose_stored_names_collide_stay_apart(shop):
    names = ["".join(signs) for signs in itertools.product("._`", repeat=4)]
    catalogue = Catalogue.open(shop)
    columns = {f"a{name}b": pa.array([name] * len(catalogue)) for name in [*names, " "]}
    store = open_store(None)
    embed(replace(catalogue, attributes=pa.table(columns)), "opencv:colour", store)
    kept = store.catalogue().attributes
    assert [column[0].as_py() for column in kept.columns] == [*names, " "]
