"""How often a nominal 95 % interval of CorrEmbed's mean covers the true value.

    python bench/coverage.py [--quick]

Catalogues are drawn from two synthetic shops of 60,000 items (fixed seeds): one that
the encoder sees well, one that it sees badly. The truth for self_pairs="exclude" is the
score of the whole shop; for "include", which depends on the number of items, it is the
mean score of 2,000 other catalogues of that size. For some queries of one catalogue the
truth is the mean over all its queries. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from likelens import metrics
from likelens.values.scores import QueryScores

SHOP, WIDTH, SIZES = 60_000, 64, (4, 12, 30)
SHOPS = {"sees well": (0, 1.0), "sees badly": (1, 0.4)}
RUNS = {30: 2_000, 100: 2_000, 300: 1_000, 1_000: 500}


def shop(seed: int, signal: float) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and tags of all items: three tag categories seen through uneven noise."""
    random = np.random.default_rng(seed)
    seen, blocks = np.zeros((SHOP, WIDTH)), []
    for size in SIZES:
        share = 1 / np.arange(1, size + 1)
        drawn = random.choice(size, SHOP, p=share / share.sum())
        seen += 0.5 * signal * random.standard_normal((size, WIDTH))[drawn]
        blocks.append(np.eye(size)[drawn])
    noise = random.gamma(2.0, 0.5, (SHOP, 1)) * random.standard_normal((SHOP, WIDTH))
    return np.maximum(seen + noise + 0.5, 0.0), np.hstack(blocks)


def draws(images: np.ndarray, tags: np.ndarray, size: int, runs: int, seed: int) -> Iterator:
    """Catalogues drawn without repeats."""
    random = np.random.default_rng([seed, size])
    for _ in range(runs):
        drawn = random.choice(SHOP, size, replace=False)
        yield images[drawn], tags[drawn]


def line(what: str, truth: float, found: Iterator[QueryScores]) -> None:
    """One row of the table: share of intervals that hold the truth, width, bias."""
    rows = np.array([(scores.mean, *scores.interval()) for scores in found])
    means, low, high = rows.T
    covered = ((low <= truth) & (truth <= high)).mean()
    print(
        f"| {what} | {truth:.4f} | {means.mean() - truth:+.4f} | {means.std():.4f} "
        f"| {(high - low).mean():.4f} | {covered:.1%} | {len(rows):,} |",
        flush=True,
    )


def main() -> None:
    """Run every mode on every shop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs")
    less = 10 if parser.parse_args().quick else 1
    print("| what | truth | bias | spread of scores | mean width | covered | runs |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, (seed, signal) in SHOPS.items():
        images, tags = shop(seed, signal)
        whole = metrics.corrembed(images.astype(np.float32), tags, self_pairs="exclude").mean
        for size, runs in RUNS.items():
            found = (
                metrics.corrembed(*some, self_pairs="exclude")
                for some in draws(images, tags, size, runs // less, 1)
            )
            line(f"{name}, exclude, {size} items", whole, found)
        for size, runs in RUNS.items():
            others = draws(images, tags, size, 2_000 // less, 2)
            truth = float(np.mean([metrics.corrembed(*some).mean for some in others]))
            found = (
                metrics.corrembed(*some) for some in draws(images, tags, size, runs // less, 3)
            )
            line(f"{name}, include, {size} items", truth, found)
        some_images, some_tags = images[:2_000], tags[:2_000]
        whole = metrics.corrembed(some_images, some_tags)
        random = np.random.default_rng(4)
        for size in (10, 30, 100, 300):
            found = (
                QueryScores(whole.per_query[random.integers(0, 2_000, size)])
                for _ in range(2_000 // less)
            )
            line(f"{name}, {size} queries of 2,000 items", whole.mean, found)


if __name__ == "__main__":
    main()
