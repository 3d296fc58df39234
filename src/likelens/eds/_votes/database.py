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
            found = connection.execute(sa.select(schema.book)).one_or_none()
        if found is None:
            raise StoreBroken(
                "the vote book has lost its version",
                where=self.place,
                hint="take it from a copy",
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
            raise StoreBroken(
                f"the database refuses: {reason[:200]}",
                where=self.place,
                hint="check that it is there, whole, and that you may write to it",
            ) from error


def _is_busy(error: Exception) -> bool:
    """Whether SQLite has waited in vain for another writer."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY  # the other bits say why


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
    with path.open("rb") as file:
        start = file.read(16)
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


def _sqlite(path: Path) -> sa.Engine:
    """An engine whose writers queue, and whose commits are on the disk when they return."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path.absolute())),  # never ":memory:"
        connect_args={"timeout": PATIENCE_SECONDS, "isolation_level": None},
        pool_timeout=PATIENCE_SECONDS,
    )

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # a reader that turned writer would be refused, not queued: say at once which it is
        writes = connection.get_execution_options().get("likelens_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
