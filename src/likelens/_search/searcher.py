"""A store's vectors, ready to be searched."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from threading import Lock

from .._indexes import Placed
from ..encoders.base import Encoder, VectorSource
from ..encoders.opening import open_encoder
from ..images import Picture
from ..index.base import Index
from ..metrics import Threshold
from ..store.base import Store, open_store
from ..values.arrays import Array, Positions
from ..values.catalogue import Catalogue
from ..values.embeddings import Embeddings
from ..values.errors import BadQuery, BadTable, FingerprintMismatch, LikelensError, LikelensWarning
from ..values.filters import Where, conditions_of
from ..values.spec import Spec
from .answer import answer
from .choose import Order
from .gallery import Gallery
from .hits import Hits
from .hubs import Hubs, find_hubs
from .query import Query, Reader, several
from .sense import by_index, check_sense, check_types

LOOK_SECONDS = 0.5
"""A search looks whether the store has changed, if the last look was longer ago than this."""

FALSE_ALARM = 0.01
"""Of a threshold that is calibrated, if no other rate is given."""


class Searcher:
    """A store's vectors by one encoder, ready to be searched many times, by several threads.

    Items that are added to the store, changed or removed are seen by the next search that
    begins more than half a second after the last look, or after ``refresh``. A search that
    has begun is not affected.

    Args:
        store: the store or its folder.
        encoder: which encoder; None if the store has only one.
        index: kind of the index that searches use, such as ``hnsw(m=16)``: the one saved
            in the store, brought up to date, or else a new one. If None, every search
            compares with every vector. What must be exact (re-ranking, calibration, hubs)
            stays exact.

    Attributes:
        store: the store.
        encoder: the opened encoder.

    Raises:
        StoreBroken: there is no such store.
        BadTable: the store has no vectors by that encoder, or several to choose from.
        BadSpec: there is no such kind of index.
        FingerprintMismatch: the store's vectors, or the saved index, come from another
            version of it.
    """

    clock: Callable[[], float] = staticmethod(time.monotonic)
    """Seconds; decides when a search looks whether the store has changed."""

    def __init__(
        self,
        store: Store | str | os.PathLike[str],
        encoder: Encoder | VectorSource | Spec | str | None = None,
        index: str | None = None,
    ) -> None:
        self._kind = str(index) if by_index(index) else None
        self.store = open_store(store, create=False)
        if encoder is None:
            encoder = self._only_encoder()
        self._spec: Spec | str | None = None
        if not isinstance(encoder, Encoder | VectorSource):
            self._spec, encoder = encoder, self._opened(encoder)
        self.encoder = encoder
        self._looking = Lock()
        self._looked = self.clock()
        self._gallery = Gallery(self.store, self.encoder, self._kind)

    def _only_encoder(self) -> str:
        names = [card.name for card in self.store.served_by() or self.store.cards()]
        if len(names) != 1:
            raise BadTable(
                f"the store has vectors by {len(names)} encoders",
                where=self.store.place,
                hint=f"choose one with -e: {', '.join(names)}" if names else "embed a catalogue",
            )
        return names[0]

    def _opened(self, spec: Spec | str) -> Encoder | VectorSource:
        """The encoder; if it cannot be opened, the store's own names may tell why."""
        try:
            return open_encoder(spec)
        except LikelensError as error:
            names = ", ".join(card.name for card in self.store.cards())
            hint = f"{error.hint}; the store has: {names or 'none'}"
            raise type(error)(error.what, where=error.where, hint=hint) from error

    @property
    def catalogue(self) -> Catalogue:
        """The items, as the last look at the store found them."""
        return self._gallery.catalogue

    @property
    def embeddings(self) -> Embeddings:
        """Their vectors."""
        return self._gallery.embeddings

    @property
    def index(self) -> Index:
        """The exact index of all vectors."""
        return self._gallery.index

    @property
    def near(self) -> Placed | None:
        """The index of the kind that was asked for, or None."""
        return self._gallery.near

    @property
    def reader(self) -> Reader:
        """What turns queries into vectors."""
        return self._gallery.reader

    @property
    def lacking(self) -> int:
        """How many items have no vector yet, or none of their present image.

        The next ``embed`` by this encoder adds them.
        """
        return self._gallery.lacking

    def refresh(self) -> bool:
        """Look at the store now; returns whether it has changed since the last look.

        Raises:
            StoreBroken: the store cannot be read any more.
            FingerprintMismatch: an encoder that was given opened no longer fits the store.
        """
        with self._looking:
            return self._look()

    def _look(self) -> bool:
        self._looked = self.clock()
        if self.store.version() == self._gallery.version:
            return False
        try:
            self._gallery = Gallery(self.store, self.encoder, self._kind)
        except FingerprintMismatch:
            if self._spec is None:
                raise
            self.encoder = self._opened(self._spec)  # it may have learnt anew
            self._gallery = Gallery(self.store, self.encoder, self._kind)
        return True

    def _fresh(self) -> Gallery:
        """The store as it was at most ``LOOK_SECONDS`` ago; while one thread looks, others go on.

        A store that cannot be read for a moment is searched as it was, with a warning.
        """
        if self.clock() - self._looked > LOOK_SECONDS and self._looking.acquire(blocking=False):
            try:
                self._look()
            except (LikelensError, OSError) as error:
                problem = error.what if isinstance(error, LikelensError) else str(error)
                warnings.warn(
                    f"the store is searched as it was, for it cannot be read now: {problem}",
                    LikelensWarning,
                    stacklevel=3,
                )
            finally:
                self._looking.release()
        return self._gallery

    def search(
        self,
        query: Picture | Sequence[Picture] = (),
        *,
        text: str | Sequence[str] = (),
        text_weight: float | None = None,
        k: int = 12,
        minus: Picture | Sequence[Picture] = (),
        minus_weight: float | None = None,
        where: Where = None,
        region: str | None = None,
        include_self: bool = False,
        rerank: str | None = None,
        group_by: str | None = None,
        collapse: float | None = None,
        diversity: float | None = None,
        threshold: Threshold | float | str | None = None,
        false_alarm: float | None = None,
        labels: str | None = None,
    ) -> Hits:
        """The k items most similar to a query of images, texts, or both.

        Args:
            query: an image, or several; text is a file's path, an item's id, or, for an
                encoder that reads text, words.
            text: what to look for in words, or several; needs an encoder that reads text.
            text_weight: of the texts beside the images, from 0 to 1; half if not given.
            k: how many; fewer are returned only if no more exist.
            minus: images whose similarity counts against an item.
            minus_weight: how much, where similarity to the query counts 1; 0.25 if not given.
            where: condition on the attributes: ``gender = 'Men' and year > 2010``; of several,
                all must hold. ``docs/search.md`` lists what they may contain.
            region: ``x,y,w,h`` of the query's part to search with, in pixels or percent.
            include_self: whether items that were asked with, and their groups, may be found.
            rerank: ``csls``, ``local-scaling`` or ``mutual-proximity``, which counter hubs.
            group_by: attribute (a product's id) of which each value gets one result at most.
            collapse: cosine from which on an item is a near-duplicate of an earlier result.
            diversity: weight, from 0 to 1, of being unlike earlier results.
            threshold: least cosine of a result; ``"auto"`` to calibrate it, or what
                ``calibrate`` returned.
            false_alarm: with ``"auto"``: how often a query with nothing similar in the store
                may find something; 0.01 if not given.
            labels: with ``"auto"``: attribute in which similar items agree.

        Raises:
            BadImage: an image cannot be read.
            BadQuery: the query cannot be understood or answered; the message says why.
        """
        check_types(
            text_weight=text_weight, minus_weight=minus_weight, collapse=collapse,
            diversity=diversity, false_alarm=false_alarm, region=region, rerank=rerank,
            group_by=group_by, labels=labels,
        )  # fmt: skip
        gallery, conditions = self._fresh(), conditions_of(where)
        given, words = gallery.reader.sorted_out(several(query))
        order = Order(k, rerank, group_by, collapse, diversity)
        asked = Query(
            given, (*words, *_texts(text)), several(minus), region, text_weight, minus_weight
        )
        order.check()
        asked.check()
        check_sense(asked, order, None)
        if gallery.near is not None:
            by_index(gallery.near.index.spec, order.rerank)
        level = self._level(gallery, threshold, false_alarm, labels, conditions)
        calibrated = level if isinstance(level, Threshold) else None
        order = replace(order, threshold=level.value if isinstance(level, Threshold) else level)
        order.check()
        check_sense(asked, order, level)
        return answer(gallery, asked, order, conditions, include_self, calibrated)

    def _level(
        self,
        gallery: Gallery,
        given: Threshold | float | str | None,
        false_alarm: float | None,
        labels: str | None,
        conditions: Sequence[str],
    ) -> Threshold | float | None:
        """The threshold that was asked for, calibrated if that was asked for."""
        automatic = isinstance(given, str) and given == "auto"
        if not automatic and (false_alarm is not None or labels is not None):
            raise BadQuery(
                "only a threshold that is calibrated has a false-alarm rate and labels",
                where="--false-alarm" if false_alarm is not None else "--labels",
                hint="give --threshold auto, or leave this out",
            )
        if automatic:
            rate = FALSE_ALARM if false_alarm is None else false_alarm
            return gallery.calibrated(labels, rate, conditions, 2_000, 0)
        if given is None or isinstance(given, Threshold):
            return given
        try:
            return float(given)
        except (TypeError, ValueError):
            raise BadQuery(
                f"{given!r} is no threshold", where="--threshold", hint="give a number, or auto"
            ) from None

    def calibrate(
        self,
        labels: str | None = None,
        *,
        false_alarm: float = FALSE_ALARM,
        where: Where = None,
        queries: int = 2_000,
        seed: int = 0,
    ) -> Threshold:
        """The cosine that an image with nothing similar in the store passes with a given chance.

        A false alarm is a query without a true match whose best match reaches the
        threshold. With labels, items are such queries once all items of their label are
        taken away; without, vectors shuffled between items are, which stand for images
        from elsewhere and give a lower threshold. See docs/search.md.

        Args:
            labels: attribute in which similar items agree: a product or a class.
                Items without a value ask nothing and stay to be found; those that are
                true matches after all raise the threshold.
            false_alarm: the chance, above 0 and below 1.
            where: condition on the items that may be found, as in ``search``.
            queries: how many at most, drawn with the seed.
            seed: of the draws.

        Raises:
            BadQuery: no such attribute or condition, or all items are of one kind.
            BadSpec: rate out of range, or too few items to show it.
        """
        check_types(labels=labels, false_alarm=false_alarm, queries=queries, seed=seed)
        if queries < 1:
            raise BadQuery(
                f"{queries} queries cannot calibrate anything",
                where="calibrate",
                hint="give some hundreds",
            )
        conditions = conditions_of(where)
        return self._fresh().calibrated(labels, false_alarm, conditions, queries, seed)

    def hubs(self, k: int = 10, rerank: str | None = None) -> Hubs:
        """Items that every search finds and items that none does; asks with all items.

        Args:
            k: how many others each item lists.
            rerank: what to rank by, as in ``search``; cosine similarity if not given.

        Raises:
            BadShape: k below 1.
            BadQuery: there is no such re-ranking.
        """
        check_types(rerank=rerank)
        Order(rerank=rerank).check()
        gallery = self._fresh()
        return find_hubs(gallery.index, gallery.embeddings.ids, k, rerank)

    def groups(self, column: str) -> tuple[Positions, Array]:
        """(n,) the group of each vector by an attribute, and whether it has a value.

        Raises:
            BadQuery: there is no such attribute, or its cells hold several values.
        """
        check_types(group_by=column)
        return self._gallery.groups(column)


def search(
    store: Store | str | os.PathLike[str],
    query: Picture | Sequence[Picture] = (),
    encoder: Encoder | VectorSource | Spec | str | None = None,
    index: str | None = None,
    *,
    text: str | Sequence[str] = (),
    text_weight: float | None = None,
    k: int = 12,
    minus: Picture | Sequence[Picture] = (),
    minus_weight: float | None = None,
    where: Where = None,
    region: str | None = None,
    include_self: bool = False,
    rerank: str | None = None,
    group_by: str | None = None,
    collapse: float | None = None,
    diversity: float | None = None,
    threshold: Threshold | float | str | None = None,
    false_alarm: float | None = None,
    labels: str | None = None,
) -> Hits:
    """One search in a store.

    ``Searcher`` says what ``store``, ``encoder`` and ``index`` are, ``Searcher.search`` what
    the other arguments are, and both what is raised. For many searches, keep a ``Searcher``.
    """
    by_index(index, rerank)  # before an index is opened or built
    return Searcher(store, encoder, index).search(
        query,
        text=text,
        text_weight=text_weight,
        k=k,
        minus=minus,
        minus_weight=minus_weight,
        where=where,
        region=region,
        include_self=include_self,
        rerank=rerank,
        group_by=group_by,
        collapse=collapse,
        diversity=diversity,
        threshold=threshold,
        false_alarm=false_alarm,
        labels=labels,
    )


def _texts(text: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(text, str) or not isinstance(text, Iterable):
        return (text,)  # what is no text is refused where all texts are checked
    return tuple(text)
