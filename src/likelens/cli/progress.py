"""What long commands show while they work: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from . import terminal

if TYPE_CHECKING:
    from .._embed import Progress

FIRST_SECONDS, EVERY_SECONDS = 1.0, 10.0
"""When the first line is written where there is no terminal, and when the others."""

LOADING = "loading"
"""The stage before the first: libraries and encoders are loaded."""

Clock = Callable[[], float]


class Stages:
    """Where the work stands: the stage it is in, and when each began."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.started: dict[str, tuple[float, int]] = {}
        self.now: tuple[str, int, int] | None = None
        self.due = clock() + (EVERY_SECONDS if terminal.asked.as_json else FIRST_SECONDS)

    def step(self, label: str, done: int, total: int) -> None:
        """Take note of how far a stage is."""
        if label not in self.started:
            self._log_time(but=label)
            self.started[label] = (self.clock(), done)
        self.now = (label, done, total)

    def tick(self) -> None:
        """Write a line, if it is time for one."""
        if self.now is None or self.clock() < self.due:
            return
        self.due = self.clock() + EVERY_SECONDS
        label, done, total = self.now
        began, before = self.started[label]
        seconds = self.clock() - began
        rate = (done - before) / seconds if seconds > 0 else 0.0
        left = (total - done) / rate if rate else None
        value = {
            "stage": label,
            "done": done,
            "total": total,
            "per_second": round(rate, 3),
            "seconds_left": None if left is None else round(left),
        }
        terminal.message("progress", _line(label, done, total, rate, left), value)

    def end(self) -> None:
        """Take note that the last stage is over."""
        self._log_time()
        self.now = None

    def _log_time(self, but: str = "") -> None:
        if self.now is not None and self.now[0] != but:
            began, _ = self.started[self.now[0]]
            terminal.debug(f"{self.now[0]}: {self.clock() - began:.2f} s")


def _line(label: str, done: int, total: int, rate: float, left: float | None) -> str:
    if total <= 1:
        return label
    share = f" ({done / total:.0%})"
    speed = f", {rate:,.0f}/s" if rate >= 10 else f", {rate:,.2g}/s" if rate else ""
    rest = "" if left is None else f", {_duration(left)} left"
    return f"{label}: {done:,} of {total:,}{share}{speed}{rest}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def progress_bar(clock: Clock = time.monotonic) -> Iterator[Progress]:
    """Shows what is done, the rate and the time left; nothing with --quiet.

    When the user stops the run, says that it can be continued.
    """
    stages = Stages(clock)
    stages.step(LOADING, 0, 1)
    shown = _bar if _has_bar() else _lines
    try:
        if terminal.asked.quiet:
            yield stages.step
        else:
            with shown(stages) as step:
                yield step
    except KeyboardInterrupt:
        terminal.note("stopped; what is done is kept, and the same command continues from there")
        raise
    finally:
        stages.end()


def _has_bar() -> bool:
    return sys.stderr.isatty() and not terminal.stderr().is_dumb_terminal


@contextmanager
def _lines(stages: Stages) -> Iterator[Progress]:
    over = Event()

    def keep_writing() -> None:
        with suppress(OSError):  # nobody reads them
            while not over.wait(0.2):
                stages.tick()

    writer = Thread(target=keep_writing, daemon=True)
    writer.start()
    try:
        yield stages.step
    finally:
        over.set()
        writer.join()


@contextmanager
def _bar(stages: Stages) -> Iterator[Progress]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=terminal.stderr()) as bar:
        tasks: dict[str, Any] = {LOADING: bar.add_task(LOADING, total=None, rate="")}

        def step(label: str, done: int, total: int) -> None:
            stages.step(label, done, total)
            if LOADING in tasks:
                bar.update(tasks.pop(LOADING), visible=False)
            if label not in tasks:
                tasks[label] = bar.add_task(terminal.line(label), total=total, rate="")
            task = tasks[label]
            speed = bar.tasks[task].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield step
