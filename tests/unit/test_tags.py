import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likelens import Tags
from likelens.values.errors import BadTable

CELLS = st.lists(st.none() | st.sets(st.sampled_from("abcd")).map(tuple), min_size=1, max_size=8)


@given(CELLS)
def test_one_hot_is_what_the_cells_say(cells):
    tags = Tags.from_columns({"letter": cells})
    for row, cell in enumerate(cells):
        borne = {tags.names[column] for column in tags.matrix[[row]].nonzero()[1]}
        assert borne == set(cell or ())
    assert set(tags.matrix.data) <= {1.0}


def test_a_name_may_stand_in_two_categories():
    tags = Tags.from_columns({"colour": ["rose", "red"], "flower": ["rose", None]}, ["a", "b"])
    assert tags.names == ("red", "rose", "rose")
    assert tags.categories == ("colour", "colour", "flower")
    assert tags.matrix.toarray().tolist() == [[0, 1, 1], [1, 0, 0]]


def test_a_tag_twice_in_a_cell_counts_once():
    assert Tags.from_columns({"c": [("x", "x")]}).matrix.toarray().tolist() == [[1.0]]


def test_categories_are_dropped_kept_and_weighted():
    tags = Tags.from_columns({"colour": ["red", "blue"], "size": ["S", "M"]}, ["a", "b"])
    assert tags.drop("size").names == ("blue", "red")
    assert tags.keep("size").category_names == ("size",)
    assert tags.drop("colour", "size").matrix.shape == (2, 0)
    weighted = tags.weighted({"size": 0.5, "colour": 0})
    assert weighted.matrix.toarray().tolist() == [[0, 0, 0, 0.5], [0, 0, 0.5, 0]]
    assert tags.matrix.max() == 1.0, "weighing changes nothing in place"
    for wrong in (tags.drop, tags.keep, tags.columns):
        with pytest.raises(BadTable, match="the categories are: colour, size"):
            wrong("material")
    for weight in (-1, np.nan, np.inf):
        with pytest.raises(BadTable, match="finite and not negative"):
            tags.weighted({"size": weight})


def test_rows_are_taken_by_id():
    tags = Tags.from_columns({"colour": ["red", "blue", None]}, ["a", "b", "c"])
    assert tags.take(["c", "a"]).matrix.toarray().tolist() == [[0, 0], [0, 1]]
    with pytest.raises(BadTable, match="1 item has no row of tags: d"):
        tags.take(["a", "d"])


def test_parts_must_fit():
    tags = Tags.from_columns({"colour": ["red"]})
    with pytest.raises(BadTable, match="1 tag columns with 2 names"):
        Tags(tags.matrix, ("red", "blue"), ("colour",))
    with pytest.raises(BadTable, match="2 ids for 1 rows"):
        Tags(tags.matrix, tags.names, tags.categories, ("a", "b"))
    with pytest.raises(BadTable, match="different numbers of items"):
        Tags.from_columns({"colour": ["red"], "size": []})


def test_no_categories_and_no_items_are_fine():
    assert Tags.from_columns({}, ["a", "b"]).matrix.shape == (2, 0)
    assert Tags.from_columns({"colour": []}, []).matrix.shape == (0, 0)
