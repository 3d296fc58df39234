"""Search on real pictures with a real network: hubs, thresholds, groups."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from likelens import Catalogue, Searcher, embed


@pytest.fixture(scope="module")
def searcher(real_data, tmp_path_factory):
    """300 fashion products, by the smallest network."""
    folder = tmp_path_factory.mktemp("fashion")
    source = real_data / "data" / "fashion-products"
    with (source / "styles.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    with (folder / "styles.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([rows[0], *rows[1::32]])
    catalogue = Catalogue.open(folder / "styles.csv", images=source / "images")
    name = f"onnx:{real_data / 'weights' / 'mobilenet_v1_0.25_128_quant.onnx'}"
    embed(catalogue, name, folder / "store")
    return Searcher(folder / "store", name)


def test_re_ranking_brings_orphans_back(searcher):
    plain = searcher.hubs(5)
    assert len(plain.orphans) > 5
    for rerank in ("csls", "local-scaling", "mutual-proximity"):
        found = searcher.hubs(5, rerank)
        assert len(found.orphans) < len(plain.orphans)
        assert found.skewness < plain.skewness


def test_a_threshold_tells_what_a_shop_has_from_what_it_has_not(searcher, real_data):
    found = searcher.calibrate(false_alarm=0.05)
    pictures = sorted((real_data / "data" / "caltech101").glob("*/image_0001.jpg"))
    alarms = sum(len(searcher.search(path, threshold=found, k=1)) for path in pictures)
    assert alarms / len(pictures) < 0.1
    assert found.kept > 0.3
    labelled = searcher.calibrate("articleType", false_alarm=0.05)
    assert labelled.value > found.value


def test_one_result_a_type(searcher):
    hits = searcher.search(searcher.catalogue.ids[0], k=10, group_by="articleType", collapse=0.98)
    types = hits.attributes["articleType"].to_pylist()
    assert len(set(types)) == len(types) == 10
    assert np.all(np.diff(hits.scores) <= 0)
