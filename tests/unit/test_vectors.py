import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from likelens import Catalogue, embed, open_encoder
from likelens.encoders.vectors import read_vectors, write_vectors
from likelens.values.columns import nfc
from likelens.values.errors import BadShape, BadSpec, BadTable

IDS = ("7", "0", "3", "stranger")
VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3) + 0.5
ENDINGS = (".parquet", ".npz", ".npy")


def never(spec):
    raise AssertionError(spec)


def joined(shop, path, options=""):
    return open_encoder(f"vectors:{path}{options}").embeddings(Catalogue.open(shop), never)


# --- round trips ------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_reads_back(tmp_path, ending):
    path = tmp_path / f"v{ending}"
    files = write_vectors(path, IDS, VECTORS)
    assert all(file.is_file() for file in files)
    assert sorted(tmp_path.iterdir()) == sorted(files)
    ids, vectors = read_vectors(path)
    assert ids == IDS
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, VECTORS)


@settings(max_examples=40, deadline=None)
@given(
    ids=st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1).map(nfc), max_size=6,
        unique=True,
    ),
    data=st.data(),
    ending=st.sampled_from(ENDINGS),
)  # fmt: skip
def test_any_ids_and_numbers_read_back(tmp_path_factory, ids, data, ending):
    shape = (len(ids), data.draw(st.integers(1, 4)))
    numbers = st.floats(-(2.0**100), 2.0**100, width=32)
    vectors = data.draw(hnp.arrays(np.float32, shape, elements=numbers))
    path = tmp_path_factory.mktemp("round") / f"v{ending}"
    write_vectors(path, ids, vectors)
    if ids or ending != ".npy":
        back, read = read_vectors(path)
        assert back == tuple(ids)
        np.testing.assert_array_equal(read, vectors if ids else vectors.reshape(read.shape))


def test_exported_vectors_stand_for_the_encoder(shop, tmp_path):
    catalogue = Catalogue.open(shop)
    known = embed(catalogue, "opencv:colour?bins=3")
    for ending in ENDINGS:
        write_vectors(tmp_path / f"v{ending}", known.ids, known.vectors)
        made = embed(catalogue, f"vectors:{tmp_path / f'v{ending}'}")
        assert made.ids == known.ids
        np.testing.assert_array_equal(made.vectors, known.vectors)
        assert made.failures.num_rows == 0


def test_nothing_is_left_when_writing_fails(tmp_path):
    path = tmp_path / "v.npz"
    write_vectors(path, IDS, VECTORS)
    before = path.read_bytes()
    with pytest.raises(BadShape, match="NaN"):
        write_vectors(path, IDS, np.full((4, 3), np.nan))
    with pytest.raises(BadTable, match="cannot be written"):
        write_vectors(path / "v.npz", IDS, VECTORS)
    with pytest.raises(BadTable, match="not a kind of file for vectors"):
        write_vectors(tmp_path / "v.json", IDS, VECTORS)
    with pytest.raises(BadTable, match="more than once: a"):
        write_vectors(path, ["a", "a", "b", "c"], VECTORS)
    with pytest.raises(BadTable, match="3 ids for 4 vectors"):
        write_vectors(path, IDS[:3], VECTORS)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_folder_is_made(tmp_path):
    path = tmp_path / "new" / "one" / "v.npy"
    write_vectors(path, IDS, VECTORS)
    np.testing.assert_array_equal(np.load(path), VECTORS)


def test_a_table_beside_the_matrix_is_not_overwritten(tmp_path):
    (tmp_path / "v.csv").write_text("id,price\n")
    write_vectors(tmp_path / "v.npy", IDS, VECTORS)
    assert (tmp_path / "v.csv").read_text() == "id,price\n"
    assert read_vectors(tmp_path / "v.npy")[0] == IDS


# --- joining ----------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_vectors_are_joined_by_id_and_what_lacks_one_is_a_failure(shop, tmp_path, ending):
    path = tmp_path / f"v{ending}"
    write_vectors(path, IDS, VECTORS)
    made = joined(shop, path)
    assert made.ids == ("0", "3", "7")
    np.testing.assert_array_equal(made.vectors, VECTORS[[1, 2, 0]])
    assert made.failures["id"].to_pylist() == ["1", "2", "4", "5", "6"]
    assert set(made.failures["reason"].to_pylist()) == {"the file has no vector for this item"}
    assert made.failures["path"].to_pylist()[0].endswith("1.png")
    assert made.failures.schema.types == [pa.string()] * 3
    assert made.encoder.name == f"vectors:{path}"
    assert made.encoder.dim == 3
    assert made.encoder.details["unused"] == 1


def test_nothing_in_common_shows_the_ids_of_both(shop, tmp_path):
    path = tmp_path / "v.npz"
    write_vectors(path, ["a", "b"], VECTORS[:2])
    with pytest.raises(
        BadTable, match=r"none of the 2 ids of the file \(a, b\) .* \(0, 1, 2 and 5"
    ):
        joined(shop, path)


def test_the_fingerprint_is_of_the_content(shop, tmp_path):
    marks = []
    for name, ids, vectors in (
        ("a", IDS, VECTORS), ("b", IDS, VECTORS), ("c", IDS[::-1], VECTORS), ("d", IDS, -VECTORS),
    ):  # fmt: skip
        write_vectors(tmp_path / f"{name}.npy", ids, vectors)
        marks.append(joined(shop, tmp_path / f"{name}.npy").fingerprint)
    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


def test_a_file_name_may_have_an_at_sign(shop, tmp_path):
    write_vectors(tmp_path / "v@home.npz", IDS, VECTORS)
    assert len(joined(shop, tmp_path / "v@home.npz")) == 3


# --- what others write ------------------------------------------------------------


def test_parquet_of_many_kinds(tmp_path):
    path = tmp_path / "v.parquet"
    rows = VECTORS.tolist()
    for kind in (
        pa.list_(pa.float32()), pa.list_(pa.float64()), pa.large_list(pa.float32()),
        pa.list_(pa.float32(), 3), pa.list_(pa.float16()),
    ):  # fmt: skip
        values = VECTORS.astype(np.float16) if kind.value_type == pa.float16() else VECTORS
        column = pa.array([list(row) for row in values], kind)
        pq.write_table(pa.table({"item_id": [7, 0, 3, 12], "emb": column}), path, row_group_size=2)
        ids, vectors = read_vectors(path)
        assert ids == ("7", "0", "3", "12")
        np.testing.assert_array_equal(vectors, VECTORS)
    two = pa.table({"code": list(IDS), "a": rows, "b": [[1.0]] * 4, "id": ["x"] * 4})
    pq.write_table(two, path)
    with pytest.raises(BadTable, match="usual names for vectors") as caught:
        read_vectors(path)
    assert "there are: code, a, b, id" in caught.value.hint
    ids, vectors = read_vectors(path, "code", "a")
    assert ids == IDS
    np.testing.assert_array_equal(vectors, VECTORS)
    with pytest.raises(BadTable, match="called 'nix'"):
        read_vectors(path, "nix", "a")
    with pytest.raises(BadTable, match="column of string holds no vectors"):
        read_vectors(path, "code", "code")


def test_options_name_the_columns(shop, tmp_path):
    path = tmp_path / "v.parquet"
    pq.write_table(pa.table({"sku": ["1"], "id": ["x"], "v": [[1.0, 2.0]]}), path)
    made = joined(shop, path, "?id=sku&vector=v")
    assert made.ids == ("1",)
    with pytest.raises(BadSpec, match="no option 'ids'"):
        open_encoder(f"vectors:{path}?ids=sku")


def test_an_empty_cell_is_no_vector(tmp_path):
    path = tmp_path / "v.parquet"
    pq.write_table(pa.table({"id": ["a", "b", "c"], "vector": [[1.0], None, [2.0]]}), path)
    ids, vectors = read_vectors(path)
    assert ids == ("a", "c")
    assert vectors.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("ending", [".ids.csv", ".csv", ".parquet", ".txt"])
def test_ids_beside_a_matrix(tmp_path, ending):
    np.save(tmp_path / "v.npy", VECTORS)
    table = tmp_path / f"v{ending}"
    if ending == ".parquet":
        pq.write_table(pa.table({"id": ["007", "0", "3", "x"]}), table)
    else:
        header = "" if ending == ".txt" else "id\n"
        table.write_text(f"{header}007\n0\n3\nx\n")
    assert read_vectors(tmp_path / "v.npy")[0] == ("007", "0", "3", "x")


def test_npz_with_other_names_and_kinds_of_ids(tmp_path):
    path = tmp_path / "v.npz"
    np.savez(path, key=np.array([5, 6]), embeddings=VECTORS[:2].astype(np.float64))
    assert read_vectors(path)[0] == ("5", "6")
    np.savez(path, name=np.array([b"a", b"b"]), x=VECTORS[:2])
    assert read_vectors(path, None, "x")[0] == ("a", "b")


# --- what is wrong ----------------------------------------------------------------


def parquet(ids, vectors):
    return lambda folder: pq.write_table(
        pa.table({"id": ids, "vector": vectors}), folder / "v.parquet"
    )


def npz(**arrays):
    return lambda folder: np.savez(folder / "v.npz", **arrays)


def npy(array, ids):
    def write(folder):
        np.save(folder / "v.npy", array)
        if ids is not None:
            (folder / "v.csv").write_text(ids)

    return write


def cut_npz(folder):
    npz(ids=TEXT, vectors=VECTORS)(folder)
    (folder / "v.npz").write_bytes((folder / "v.npz").read_bytes()[:300])


def as_npz(folder):
    with (folder / "v.npz").open("wb") as file:
        np.save(file, VECTORS)


def as_npy(folder):
    npy(VECTORS, "id\na\n")(folder)
    with (folder / "v.npy").open("wb") as file:
        np.savez(file, vectors=VECTORS)


TEXT = np.array(IDS)
NAN = np.where(np.eye(4, 3) > 0, np.nan, 1)
WRONG = {
    "an id twice": (parquet(["a", "a"], [[1.0], [2.0]]), BadTable, "1 id is there more than once: a"),
    "an id missing": (parquet(["a", None], [[1.0], [2.0]]), BadTable, "1 of 2 ids are missing"),
    "ragged": (parquet(["a", "b"], [[1.0], [2.0, 3.0]]), BadShape, "different lengths: 1, 2"),
    "no numbers": (parquet(["a"], [["x"]]), BadShape, "is no matrix of vectors"),
    "a hole": (parquet(["a"], [[1.0, None]]), BadShape, "1 vector holds NaN or infinity: a"),
    "no length": (parquet(["a"], [[]]), BadShape, r"shape \(1, 0\) is no matrix of vectors"),
    "NaN": (npz(ids=TEXT, vectors=NAN), BadShape, "3 vectors hold NaN or infinity: 7, 0, 3"),
    "one axis": (npz(ids=TEXT, vectors=VECTORS[:, 0]), BadShape, r"shape \(4,\) is no matrix"),
    "too few": (npz(ids=TEXT, vectors=VECTORS[:3]), BadTable, "4 ids for 3 vectors"),
    "no ids": (npz(vectors=VECTORS), BadTable, "no column or array of the usual names for ids"),
    "ids of floats": (npz(ids=np.ones(4), vectors=VECTORS), BadTable, "float64 .* no list of ids"),
    "pickled": (npz(ids=TEXT.astype(object), vectors=VECTORS), BadTable, "holds Python objects"),
    "pickled matrix": (npy(VECTORS.astype(object), "id\na\n"), BadTable, "holds Python objects"),
    "no table": (npy(VECTORS, None), BadTable, "no table of ids beside"),
    "no column": (npy(VECTORS, "sku\na\nb\nc\nd\n"), BadTable, "usual names for ids"),
    "other count": (npy(VECTORS, "id\na\nb\n"), BadTable, "2 ids for 4 vectors"),
    "no archive": (lambda f: (f / "v.npz").write_text("hello"), BadTable, "is no .npz file"),
    "cut archive": (cut_npz, BadTable, "cannot be read"),
    "npy as npz": (as_npz, BadTable, "it is a single array"),
    "npz as npy": (as_npy, BadTable, "it holds several arrays"),
    "no array": (lambda f: npy(VECTORS, "id\na\n")(f) or (f / "v.npy").write_text("hello"), BadTable, "is no .npy file"),
    "no table at all": (lambda f: (f / "v.parquet").write_text("hello"), BadTable, "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(tmp_path, case):
    write, error, reason = WRONG[case]
    write(tmp_path)
    path = next(path for path in tmp_path.iterdir() if path.suffix in ENDINGS)
    with pytest.raises(error, match=reason) as caught:
        read_vectors(path)
    assert str(tmp_path) in caught.value.where
    assert "\n" not in caught.value.what


def test_a_pickle_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "run"),))

    np.save(tmp_path / "v.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    (tmp_path / "v.csv").write_text("id\na\n")
    with pytest.raises(BadTable, match="could run code"):
        read_vectors(tmp_path / "v.npy")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["none.npz", "text.txt", ""])
def test_files_of_other_kinds_are_refused_at_once(tmp_path, name):
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(BadSpec, match=r"no such file|no file of vectors") as caught:
        open_encoder(f"vectors:{tmp_path / name}")
    assert ".parquet" in caught.value.hint


def test_vectors_that_float32_cannot_hold_keep_their_direction(tmp_path):
    sizes = np.array([[1.0], [1e50], [1e-60], [1e-315]])
    vectors = np.array([[3.0, 4.0], [3.0, 4.0], [-3.0, 4.0], [4.0, 3.0]]) * sizes
    for name in ("v.npz", "v.parquet", "v.npy"):
        write_vectors(tmp_path / name, IDS[:4], vectors)
        read = read_vectors(tmp_path / name)[1]
        np.testing.assert_allclose(read[:3], [[3, 4], [0.6, 0.8], [-0.6, 0.8]], rtol=1e-6)
        np.testing.assert_allclose(read[3], [0.8, 0.6], rtol=1e-4)
    np.savez(tmp_path / "w.npz", ids=TEXT, vectors=vectors)
    np.testing.assert_array_equal(read_vectors(tmp_path / "w.npz")[1], read)
