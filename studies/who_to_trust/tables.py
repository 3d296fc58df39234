"""The figures of the simulation as rows of plain values."""

from __future__ import annotations

from typing import Any

from likelens.report.lines import Estimate

from .budget import DEPTHS, HOURS, RANDOM, TAGGED
from .draw import ENCODERS, EYES, FUSED
from .score import HIT, METRICS, places
from .seed import SIZES
from .study import SHARE, Shop, Trust, Twice

HITS = f"HR@{HIT}"
FACTS = (
    "prevalence", "labelled", "estimate", "covered", "kappa", "pairs", "judged", "rich", "right",
)  # fmt: skip
ORDERS = (*METRICS, RANDOM, *TAGGED)

Rows = list[dict[str, Any]]


def everything(found: Trust) -> dict[str, Rows]:
    """All tables by name; a mean over seeds stands beside the ends of its 95 % interval."""
    return {
        "facts": [{"fact": name, **_cells("", found.fact(name))} for name in FACTS],
        "encoders": encoder_rows(found),
        "found": [
            {
                "encoders": size,
                "k": k,
                **_cells("recall", found.found(size, k)),
                **_cells("judged", found.found(size, k, "share")),
            }
            for size in SIZES
            for k in DEPTHS
        ],
        "twice": [
            {
                "metric": metric,
                **_cells("flattered", found.twice(metric, Twice.flattered)),
                **_cells("wronged", found.twice(metric, Twice.wronged)),
                **_cells("lost", found.twice(metric, Twice.lost)),
                **_cells("share_lost", found.share_lost(metric)),
            }
            for metric in METRICS
        ],
        "hours": [
            {"hours": hours, "metric": metric, **_cells("spearman", estimate)}
            for metric in ORDERS
            for hours, estimate in found.by_hours(metric)
        ],
        "bought": [
            {
                "hours": hours,
                **{what: found.bought(hours, what).mean for what in ("pairs", "queries", "tagged")},
            }
            for hours in HOURS
        ],
        "depths": [
            {"k": k, "metric": metric, **_cells("spearman", found.by_depth(k, metric))}
            for metric in METRICS
            for k in DEPTHS
        ],
    }


def encoder_rows(found: Trust) -> Rows:
    """Each encoder with what is true of it and how it was judged, best first."""
    rows = [_encoder(found, place, name) for place, name in enumerate(ENCODERS)]
    return sorted(rows, key=lambda row: -row["mAP"])


def _encoder(found: Trust, number: int, name: str) -> dict[str, Any]:
    def of(metric: str, side: str) -> Estimate:
        return found.over(lambda shop: shop["twice"][metric][side][number], SHARE)

    def place(shop: Shop) -> float:
        return float(places(shop["truth"])[number])

    area = "ROC-AUC micro"
    return {
        "encoder": name,
        "sees": "tags" if name in EYES else "pixels, fused" if name in FUSED else "pixels",
        "mAP": found.over(lambda shop: shop["truth"][number]).mean,
        "place": found.over(place).mean,
        **_cells("hits_full", found.over(lambda shop: shop["full_hits"][number], SHARE)),
        **_cells("hits_in", of(HITS, "in")),
        **_cells("hits_out", of(HITS, "out")),
        "hits_in_place": of(HITS, "in_place").mean,
        "hits_out_place": of(HITS, "out_place").mean,
        "area_in_place": of(area, "in_place").mean,
        "area_out_place": of(area, "out_place").mean,
    }


def _cells(name: str, estimate: Estimate) -> dict[str, float]:
    return {
        name or "mean": estimate.mean,
        f"{name}_low" if name else "low": estimate.low,
        f"{name}_high" if name else "high": estimate.high,
    }
