"""The public names of likelens.metrics, and that they wait for first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import likelens.metrics as metrics


def test_names_are_sorted_and_all_there():
    assert metrics.__all__ == sorted(
        metrics.__all__, key=lambda n: (not n.isupper(), n.lower() == n, n)
    )
    assert all(callable(getattr(metrics, name)) for name in metrics.__all__ if name != "METRICS")
    assert set(metrics.__all__) <= set(dir(metrics))
    with pytest.raises(AttributeError, match="no attribute 'corremebd'"):
        _ = metrics.corremebd


def test_a_name_stays_a_function_after_its_module_was_imported():
    first = metrics.ndcg
    import likelens.metrics._ndcg  # noqa: F401

    assert metrics.ndcg is first


def test_importing_is_light():
    program = (
        "import sys, likelens.metrics as m;"
        "heavy = lambda: sorted({'numpy', 'scipy', 'sklearn'} & set(sys.modules));"
        "a = heavy(); m.corrembed([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1], [0], [1]]);"
        "print(a, heavy())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[] ['numpy']"
