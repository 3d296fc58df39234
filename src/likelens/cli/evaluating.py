"""What ``likelens evaluate`` does: measure, write the page, and show the leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import options, show

if TYPE_CHECKING:
    from .._embed import Progress
    from .._leaderboard import Leaderboard
    from .._stress import Stress
    from ..encoders.base import Encoder, VectorSource
    from ..encoders.running import Running
    from ..store.base import Store

    Named = str | Encoder | VectorSource


def _what_changed(earlier: Any, board: Any) -> Any:
    """What changed since an earlier report, if there is one."""
    from .._against import compare_reports

    return None if earlier is None else compare_reports(earlier, board)


def _finish(board: Any, page: Path, changed: Any, extra: Sequence[str] = ()) -> None:
    """Show what changed, the notes, and where the page is."""
    if changed is not None:
        show.print_against(changed)
    for text in (*board.notes, *extra):
        show.note(text)
    show.say(f"report: {page}")


def evaluate_by_relevance(
    catalogue: Any,
    encoders: Sequence[Named],
    out: Path,
    store: Store,
    *,
    as_json: bool,
    earlier: Any,
    settings: dict[str, Any],
) -> None:
    """Compare by retrieval, write the page, and show the leaderboard."""
    from .._relevance import compare_by_relevance
    from ..report.retrieval import write_retrieval

    with show.progress_bar() as progress:
        board = compare_by_relevance(catalogue, encoders, store, progress=progress, **settings)
        progress("writing the report", 0, 1)
        changed = _what_changed(earlier, board)
        page = write_retrieval(board, out, changed)
        progress("writing the report", 1, 1)
    if as_json:
        show.print_json({**board.to_dict(), **_changed(changed), "report": str(page)})
        return
    show.print_retrieval(board)
    _finish(board, page, changed)


def _changed(changed: Any) -> dict[str, Any]:
    return {} if changed is None else {"against": changed.to_dict()}


def evaluate_by_judgements(
    catalogue: Any,
    encoders: Sequence[Named],
    judgements: Path,
    out: Path,
    store: Store,
    *,
    as_json: bool,
    earlier: Any,
    settings: dict[str, Any],
) -> None:
    """Score encoders by judgements, write the page, and show the leaderboard."""
    from .._discover import discover
    from ..report.discovery import write_discovery
    from ..values.qrels import Judgements as Read

    given = Read.read(judgements)
    if "queries" in settings:
        settings["queries"] = options.open_other(settings["queries"], catalogue)
    with show.progress_bar() as progress:
        board = discover(catalogue, encoders, given, store, progress=progress, **settings)
        progress("writing the report", 0, 1)
        changed = _what_changed(earlier, board)
        page = write_discovery(board, out, changed)
        progress("writing the report", 1, 1)
    if as_json:
        show.print_json({**board.to_dict(), **_changed(changed), "report": str(page)})
        return
    show.print_discovery(board)
    _finish(board, page, changed)


def evaluate_by_tags(
    catalogue: Any,
    specs: Sequence[Named],
    out: Path,
    store: Store,
    *,
    as_json: bool,
    earlier: Any = None,
    stress_queries: int = 0,
    **settings: Any,
) -> None:
    """Compare by tags, write the report, and show the leaderboard."""
    from .._compare import compare
    from ..report.page import write_report

    with show.progress_bar() as progress:
        board = compare(catalogue, specs, store, progress=progress, **settings)
        had = [one for one in specs if str(getattr(one, "spec", one)) not in board.missing]
        strained = _stress(board, had, store, stress_queries, settings.get("running"), progress)
        progress("writing the report", 0, 1)
        changed = _what_changed(earlier, board)
        report = write_report(board, out, strained, changed)
        progress("writing the report", 1, 1)
    if as_json:
        curves = {} if strained is None else {"stress": strained.to_dict()}
        show.print_json({**board.to_dict(), **curves, **_changed(changed), "report": str(report)})
        return
    show.print_leaderboard(board)
    if strained is not None:
        from ..report.stress import stress_lines

        for line in stress_lines(strained):
            show.say(line)
    _finish(board, report, changed, strained.notes if strained else ())


def _stress(
    board: Leaderboard,
    specs: Sequence[Named],
    store: Store,
    queries: int,
    running: Running | None,
    progress: Progress,
) -> Stress | None:
    """The robustness curves of a comparison's encoders, if any queries are wanted."""
    if not queries:
        return None
    from .._stress import stress

    return stress(
        board.catalogue,
        specs,
        store,
        max_queries=queries,
        weights=board.weights,
        seed=board.run["seed"],
        running=running,
        progress=progress,
    )
