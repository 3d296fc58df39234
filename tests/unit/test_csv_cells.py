"""No text that we write to CSV is a formula, and every one is read back as it was."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import likelens
from likelens import eds
from likelens.encoders.vector_files import read_vectors, write_vectors
from likelens.values.csv_cells import csv_text, write_csv
from likelens.values.tables import read_table

TEXTS = ["=1+1", "+49 30", "-5", "@cmd", "'=x", "''-y", "'s", "plain", "a=b", '=a,"b"\nc', "–1"]


def cells_of(path):
    return re.split(r'[,\t\n]"?', path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("door", "suffix"), [("table", ".csv"), ("rows", ".csv"), ("rows", ".tsv")]
)
def test_texts_come_back_and_none_is_a_formula(tmp_path, door, suffix):
    path = tmp_path / f"t{suffix}"
    numbers = list(range(-1, -1 - len(TEXTS), -1))
    if door == "table":
        write_csv(pa.table({"=id": TEXTS, "n": numbers}), path)
    else:
        delimiter = "," if suffix == ".csv" else "\t"
        rows = [["=id", "n"], *zip(TEXTS, numbers, strict=True)]
        path.write_text(csv_text(rows, delimiter=delimiter), encoding="utf-8", newline="")
    assert not [cell for cell in cells_of(path) if re.match(r"[=+@]|-[^0-9]", cell)]
    read = read_table(path, text_columns=["=id"])
    assert read["=id"].to_pylist() == TEXTS
    assert read["n"].to_pylist() == numbers, "numbers are numbers"


def test_ids_of_vectors_come_back(tmp_path):
    ids = ["=a", "-b", "+c"]
    write_vectors(tmp_path / "v.npy", ids, np.eye(3, dtype=np.float32))
    assert (tmp_path / "v.ids.csv").read_text().splitlines()[1:] == ['"\'=a"', '"\'-b"', '"\'+c"']
    assert list(read_vectors(tmp_path / "v.npy")[0]) == ids


def test_votes_come_back(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("query,candidate,expert,grade\n=q,'-c,@e,1\n")
    with eds.VoteBook.open(str(tmp_path / "v.db")) as book:
        book.add(eds.read_content(path))
        book.export_file(tmp_path / "out.csv", rule="all")
        assert [tuple(pair[:2]) for pair in book.judged().pairs] == [("=q", "-c")]
    assert "'=q,'-c" in (tmp_path / "out.csv").read_text()


def test_all_csv_is_written_by_one_module():
    root = Path(likelens.__file__).parent
    writers = re.compile(r"csv\.(Dict)?[Ww]riter\(|csv\.write_csv\(|\.to_csv\(")
    found = [path.name for path in root.rglob("*.py") if writers.search(path.read_text("utf-8"))]
    assert found == ["csv_cells.py"]
