"""Opens the database of a vote book: a SQLite file, or a PostgreSQL server by URL."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ...values.errors import BadTable, StoreBroken
from ...values.extras import need
from ...values.files import system_hint
from . import schema

SERVERS = ("postgresql", "postgres", "postgresql+psycopg")
PATIENCE_SECONDS = 60.0
"""How long a writer waits for the one before it."""

TELL_AFTER_SECONDS = 3.0
"""A writer that has waited so long says so."""

LOCK = 5_172_637
"""Number of the lock that large writers of one PostgreSQL database hold."""


class Database:
    """Reads and writes in transactions; whatever ``writing`` has returned from is on the disk.

    Args:
        place: a path of a SQLite file, or ``postgresql://user@host/name``.
        create: whether a book that is not there is made.
        waiting: called, from a thread of its own, when another program keeps a writer waiting.

    Attributes:
        place: where it is, for messages; no password.
        seed: drawn when the book was made.
    """

    def __init__(
        self,
        place: str | os.PathLike[str],
        *,
        create: bool,
        waiting: Callable[[], None] | None = None,
    ) -> None:
        text = os.fspath(place)
        self.place = text
        self._waiting = waiting
        if "://" in text:
            url = _server(text)
            self.place = url.render_as_string(hide_password=True)
            self._engine = sa.create_engine(url, pool_timeout=PATIENCE_SECONDS)
            self._readers = self._engine.execution_options(isolation_level="REPEATABLE READ")
        else:
            _check_file(Path(text), create=create)
            self._engine = _sqlite(Path(text))
            self._readers = self._engine.execution_options()
        self._writers = self._engine.execution_options(likelens_writes=True)
        try:
            self.seed = self._prepare(create)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets the connections go."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A state of the book that no writer changes meanwhile."""
        with self._said_plainly(), self._readers.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, many: bool = False) -> Iterator[sa.Connection]:
        """A transaction: kept as a whole when the block ends, or not at all.

        Args:
            many: whether it adds so much that two of them would wait for each other; they queue.
        """
        with self._said_plainly(), ExitStack() as stack:
            with self._telling():
                connection = stack.enter_context(self._writers.begin())
                if many and connection.dialect.name == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
            yield connection

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Says so where a writer must wait for its turn."""
        if self._waiting is None:
            yield
            return
        timer = threading.Timer(TELL_AFTER_SECONDS, self._waiting)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def insert(self, connection: sa.Connection, table: sa.Table, rows: Sequence[Any]) -> None:
        """Add rows; those whose key is there already stay as they are."""
        if rows:
            connection.execute(self._insert(table).on_conflict_do_nothing(), list(rows))

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Any], key: Sequence[str]
    ) -> None:
        """Add rows; those whose key is there already take its place."""
        if rows:
            insert = self._insert(table)
            fresh = {name: insert.excluded[name] for name in rows[0] if name not in key}
            statement = insert.on_conflict_do_update(index_elements=list(key), set_=fresh)
            connection.execute(statement, list(rows))

    def _insert(self, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
        # both dialects spell ON CONFLICT alike, and SQLAlchemy has it only there
        if self._engine.dialect.name == "sqlite":
            return sqlite.insert(table)
        return postgresql.insert(table)

    def _prepare(self, create: bool) -> int:
        """Makes the tables, or checks those there are; returns the book's seed."""
        with self.reading() as connection:
            tables = sa.inspect(connection).get_table_names()
        if schema.book.name not in tables:
            if tables and self._engine.dialect.name == "sqlite":
                raise _no_book(self.place, f"it is a database of {len(tables):,} other tables")
            if not create:
                raise _nothing_there(self.place)
            self._create()
        with self.reading() as connection:
            self._check_whole(connection)
            found = connection.execute(sa.select(schema.book)).first()
        if found is None:
            raise StoreBroken(
                "the vote book is damaged: its version is missing",
                where=self.place,
                hint=_HINTS[sqlite3.SQLITE_CORRUPT],
            )
        if found.version != schema.VERSION:
            raise BadTable(
                f"the vote book has version {found.version} of the tables, "
                f"and this likelens knows {schema.VERSION}",
                where=self.place,
                hint="use the likelens that made it, or import here what it exports by --rule all",
            )
        return int(found.seed)

    def _create(self) -> None:
        """All tables and the version, in one transaction; another may be doing the same."""
        with self.writing(many=True) as connection:
            schema.metadata.create_all(connection)
            if connection.execute(sa.select(schema.book)).one_or_none() is None:
                row = {"version": schema.VERSION, "seed": secrets.randbits(31)}
                connection.execute(sa.insert(schema.book), row)

    @contextmanager
    def _said_plainly(self) -> Iterator[None]:
        """Turns what the database refuses into one sentence."""
        try:
            yield
        except UnicodeEncodeError as error:
            raise BadTable(
                f"a name or an id is no whole text: {error.object!r}",
                where=self.place,
                hint="write it in UTF-8",
            ) from error
        except (sa.exc.StatementError, sa.exc.TimeoutError) as error:
            if _is_busy(error):
                raise StoreBroken(
                    "another program is writing to the vote book",
                    where=self.place,
                    hint="try again when it has ended",
                ) from error
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise _damaged(self.place, reason) from error
            raise StoreBroken(
                f"the database refuses: {reason[:200]}",
                where=self.place,
                hint=_HINTS.get(
                    _code(error), "check that it is there, and that you may write to it"
                ),
            ) from error
        except (sqlite3.Error, UnicodeDecodeError) as error:  # while connecting
            text = getattr(error, "object", b"")  # what could not be decoded is SQLite's message
            raise _damaged(self.place, text.decode("utf-8", "replace") or str(error)) from error

    def _check_whole(self, connection: sa.Connection) -> None:
        """Refuses a damaged SQLite file; damage would otherwise show in the middle of a run.

        Raises:
            StoreBroken: its pages or its rows contradict each other.
        """
        if connection.dialect.name != "sqlite":
            return
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise _damaged(self.place, str(found))
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise _damaged(self.place, f"a row of {broken[0]} refers to none of {broken[2]}")


def _damaged(place: str, reason: str) -> StoreBroken:
    return StoreBroken(
        f"the vote book is damaged: {' '.join(reason.split())[:200]}",
        where=place,
        hint=_HINTS[sqlite3.SQLITE_CORRUPT],
    )


_HINTS = {
    sqlite3.SQLITE_FULL: "free some space; all votes that were confirmed are kept",
    sqlite3.SQLITE_READONLY: "check that you may write to the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "check that you may write to the file and its folder",
    sqlite3.SQLITE_IOERR: "check the disk or the network share, then run the command again",
    sqlite3.SQLITE_CORRUPT: "restore a copy, or save what can be read: sqlite3 BOOK .recover",
}


def _code(error: Exception) -> int:
    """The primary error code of SQLite; 0 for other databases."""
    return int(getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)) & 0xFF


def _is_busy(error: Exception) -> bool:
    """Whether SQLite has waited in vain for another writer."""
    return _code(error) == sqlite3.SQLITE_BUSY


def _server(text: str) -> sa.URL:
    """The URL of a PostgreSQL server, with the driver that we use."""
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise BadTable(
            "this is no URL of a database",
            where=text.rpartition("@")[2],  # no password, whatever stands in it
            hint="write postgresql://user:password@host/name, or the path of a SQLite file",
        ) from error
    if url.drivername not in SERVERS:
        raise BadTable(
            f"votes are not kept in {url.drivername}",
            where=url.render_as_string(hide_password=True),
            hint="give the path of a SQLite file, or postgresql://user:password@host/name",
        )
    need("psycopg", extra="postgres", where=url.render_as_string(hide_password=True))
    return url.set(drivername="postgresql+psycopg")


def _check_file(path: Path, *, create: bool) -> None:
    """Refuses what is no SQLite file before anything is written to it."""
    if path.is_dir():
        raise _no_book(str(path), "it is a folder")
    if not path.exists():
        if not create:
            raise _nothing_there(str(path))
        if not path.parent.is_dir():
            raise BadTable(
                "there is no such folder",
                where=str(path.parent),
                hint="make it first, or check the path",
            )
        return
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise StoreBroken(
            f"the vote book cannot be read: {error.strerror or error}",
            where=str(path),
            hint=system_hint(error) or "check the path and the permissions",
        ) from error
    if start not in (b"", b"SQLite format 3\0"):
        raise _no_book(str(path), "it is another kind of file")


def _no_book(place: str, why: str) -> BadTable:
    return BadTable(
        f"this is no vote book: {why}",
        where=place,
        hint="give a vote book, or a path where none is yet",
    )


def _nothing_there(place: str) -> BadTable:
    return BadTable(
        "there is no vote book",
        where=place,
        hint="make one: likelens annotate import FILE --votes BOOK",
    )


def _has_log(path: Path) -> bool:
    """Whether a SQLite file has changes beside it that are not in it yet."""
    log = path.with_name(f"{path.name}-wal")
    return log.is_file() and log.stat().st_size > 0


def _sqlite(path: Path) -> sa.Engine:
    """An engine whose writers queue, and whose commits are on the disk when they return."""
    read_only = path.exists() and not os.access(path.parent, os.W_OK) and not _has_log(path)
    place = str(path.absolute())  # never ":memory:"
    query = {}
    if read_only:  # where SQLite cannot make the files that readers share
        place, query = path.absolute().as_uri(), {"mode": "ro", "immutable": "1", "uri": "true"}
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=place, query=query),
        connect_args={"timeout": PATIENCE_SECONDS, "isolation_level": None},
        pool_timeout=PATIENCE_SECONDS,
    )

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: Any, _: Any) -> None:
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # a reader that turned writer would be refused, not queued: say at once which it is
        writes = connection.get_execution_options().get("likelens_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
