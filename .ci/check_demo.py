"""Checks what `make demo` wrote: a leaderboard that makes sense, and a report that is whole."""

import json
import math
import re
import sys
from pathlib import Path

folder = Path(sys.argv[1])
board = json.loads((folder / "report" / "leaderboard.json").read_text(encoding="utf-8"))
rows = {row["encoder"]: row for row in board["leaderboard"]}
page = (folder / "report" / "report.html").read_text(encoding="utf-8")

assert board["items"] == 600, board["items"]
assert len(rows) == 6, sorted(rows)
best = board["leaderboard"][0]
assert not best["encoder"].startswith("control:"), best
for name, row in rows.items():
    low, high = row["corrembed_weighted_low"], row["corrembed_weighted_high"]
    assert low <= row["corrembed_weighted"] <= high, row
    if name.startswith("control:"):
        assert abs(row["corrembed_weighted"]) < 0.02, row
    else:
        assert row["corrembed_weighted"] > 0.05, row
    assert math.isfinite(row["ndcg_at_10"]), row
assert page.count("<svg") >= 2, "the report has no charts"
assert page.count("data:image/") >= 50, "the report has no pictures"
assert not re.search(r'(?:src|href)="https?:', page), "the report needs the network"
print(f"demo: {len(rows)} encoders on {board['items']} pictures; best is {best['encoder']}")
