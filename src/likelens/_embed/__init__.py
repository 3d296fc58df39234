"""From images to vectors: resumable, in catalogue order; unreadable files are skipped and listed.

``survey`` looks at the files, ``jobs`` know what each encoder lacks, ``passes`` carry images
through the networks, and ``serving`` updates the items of a store. Measuring does all but the
last: it adds vectors to a store, and changes nothing else.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..encoders.base import Encoder, FittedEncoder, VectorSource
from ..encoders.opening import open_encoder
from ..store.base import Store, open_store
from ..values.catalogue import Catalogue
from ..values.embeddings import Embeddings, failure_table
from ..values.errors import BadTable, LikelensError, LikelensWarning, of_encoder, plural
from ..values.spec import Spec
from .jobs import EmbedRun, Job, start_job
from .passes import bundles, encode_missing
from .serving import lost_columns, merged, removed_text, serve
from .survey import Progress, Survey, survey_files
from .upserting import catalogue_of

__all__ = [
    "EmbedRun",
    "Measured",
    "Progress",
    "embed",
    "fill",
    "fill_all",
    "measure_all",
    "open_store",
    "prepare_search",
    "removed_text",
    "upsert",
]


def embed(
    catalogue: Catalogue,
    encoder: Encoder | VectorSource | Spec | str,
    store: Store | str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    sync: bool = False,
    forget: bool = False,
    progress: Progress | None = None,
) -> Embeddings:
    """The vectors of a catalogue's items, computing only those not yet in the store.

    The items are added to those that the store serves, or update them. Other items stay, and so
    do attributes that the catalogue does not have.

    Args:
        catalogue: whose images.
        encoder: an encoder or its spec.
        store: where items and vectors are kept; None keeps them in memory only.
        overwrite: make this encoder's vectors of these images anew.
        sync: also remove the items and attributes that the catalogue does not have.
        forget: the name of ``sync`` before.
        progress: told of every step.

    Returns:
        Embeddings in catalogue order; images that cannot be read are in
        ``failures`` with their reason.

    Raises:
        FingerprintMismatch: the store has vectors of that name by another encoder.
        BadTable: an attribute has values of another type than in the store.
    """
    kept = open_store(store)
    sync = sync or forget
    opened = encoder if isinstance(encoder, Encoder | VectorSource) else open_encoder(encoder)
    if isinstance(opened, VectorSource):
        running = opened.running
        return opened.embeddings(
            catalogue,
            lambda spec: embed(
                catalogue, open_encoder(spec, running), kept, sync=sync, progress=progress
            ),
        )
    made = _serve_all(catalogue, [opened], kept, overwrite, sync, progress)
    return made.read(opened)


def fill(
    catalogue: Catalogue,
    encoder: Encoder,
    store: Store,
    *,
    overwrite: bool = False,
    sync: bool = False,
    progress: Progress | None = None,
) -> EmbedRun:
    """Adds a catalogue to a store, without reading the vectors back.

    Takes and raises what ``embed`` does.
    """
    runs = fill_all(catalogue, [encoder], store, overwrite=overwrite, sync=sync, progress=progress)
    if runs[0].error is not None:
        raise runs[0].error
    return runs[0]


def fill_all(
    catalogue: Catalogue,
    encoders: Sequence[Encoder],
    store: Store,
    *,
    overwrite: bool = False,
    sync: bool = False,
    progress: Progress | None = None,
) -> list[EmbedRun]:
    """The same for several encoders: each image is decoded once for all of them.

    Several layers of one network come out of one forward pass.

    An encoder that fails does not end the run of the others: its ``error`` says why.

    Takes and raises what ``embed`` does.
    """
    made = _serve_all(catalogue, encoders, store, overwrite, sync, progress)
    return [made.runs[str(encoder.spec)] for encoder in encoders]


@dataclass(frozen=True)
class Measured:
    """The vectors of a catalogue's images, by content: the items of the store play no part.

    Attributes:
        survey: of the catalogue.
        store: where the vectors are kept.
        runs: what was done for each encoder, by its spec.
        progress: told of every step.
    """

    survey: Survey
    store: Store
    runs: dict[str, EmbedRun] = field(default_factory=dict)
    progress: Progress | None = None

    def add(self, encoders: Sequence[Encoder], *, overwrite: bool = False) -> None:
        """Make the vectors that the store lacks."""
        runs = _encode(self.survey, encoders, self.store, self.progress, overwrite=overwrite)
        self.runs.update({str(one.spec): run for one, run in zip(encoders, runs, strict=True)})

    def read(self, encoder: Encoder) -> Embeddings:
        """One encoder's vectors, made if they are not there.

        Raises:
            LikelensError: the encoder failed.
        """
        import pyarrow as pa

        fitted = not isinstance(encoder, FittedEncoder) or encoder.fitted
        if str(encoder.spec) not in self.runs or not fitted:
            self.add([encoder])
        run = self.runs[str(encoder.spec)]
        if run.error is not None:
            raise run.error
        digests = self.survey.digests
        digests = pa.array(digests, mask=digests == b"").cast(pa.string())
        failures = failure_table(run.failures)
        return self.store.read(run.name, encoder.card, self.survey.catalogue.ids, digests, failures)


def measure_all(
    catalogue: Catalogue,
    encoders: Sequence[Encoder],
    store: Store,
    *,
    overwrite: bool = False,
    serve_if_new: bool = True,
    progress: Progress | None = None,
) -> Measured:
    """The vectors of a catalogue by some encoders; the store only gets those that it lacks.

    Args:
        catalogue: whose images.
        encoders: opened.
        store: where vectors are kept. Its items are left alone.
        overwrite: make the vectors of these images anew.
        serve_if_new: have a store without any items serve these.
        progress: told of every step.
    """
    measured = Measured(_survey(catalogue, store, progress), store, {}, progress)
    measured.add(encoders, overwrite=overwrite)
    if serve_if_new and not len(store.items()):
        with store.writing(wait=True):
            if not len(store.items()):
                serve(measured.survey, measured.runs.values(), store, sync=False)
    if store.cache is not None and serve_if_new:
        _warn_of_others(measured.survey, store)
    return measured


def _warn_of_others(survey: Survey, store: Store) -> None:
    """Tell of items that cannot be searched in the store of a report, which serves others."""
    import pyarrow.compute as pc

    new = len(survey.ids) - int(np.asarray(pc.is_in(survey.ids, store.items()["id"])).sum())
    if new:
        which = plural(new, "of these items is", "of these items are")
        text = (
            f"{which} not in {store.place}, which serves the catalogue of an earlier run; "
            f"to search them as well: likelens embed SOURCE -e SPEC --store {store.place}"
        )
        warnings.warn(text, LikelensWarning, stacklevel=2)


def _serve_all(
    catalogue: Catalogue,
    encoders: Sequence[Encoder],
    store: Store,
    overwrite: bool,
    sync: bool,
    progress: Progress | None,
) -> Measured:
    """Makes vectors, and after that updates the items: what is found changes all at once."""
    with store.writing():
        measured = Measured(_survey(catalogue, store, progress), store, {}, progress)
        merged(measured.survey, store, sync=sync)  # refuses what does not fit before any work
        runs = _encode(
            measured.survey, encoders, store, progress, overwrite=overwrite, serving=True
        )
        before = store.items()
        removed = serve(measured.survey, runs, store, sync=sync)
        columns = lost_columns(measured.survey, before) if sync else []
        for encoder, run in zip(encoders, runs, strict=True):
            run.removed, run.removed_columns, run.forgotten = removed, columns, len(removed)
            measured.runs[str(encoder.spec)] = run
    return measured


def upsert(
    store: Store,
    items: Catalogue | Mapping[str, Any] | Iterable[Mapping[str, Any]],
    *,
    encoders: Sequence[Encoder] | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Add or update items; see ``Store.upsert``."""
    catalogue = items if isinstance(items, Catalogue) else catalogue_of(store, items)
    if encoders is None:
        names = _lacking(_survey(catalogue, store, progress), store)
        opened = [open_encoder(name) for name in names]
        encoders = [_with_state(one, store) for one in opened if isinstance(one, Encoder)]
    fill_all(catalogue, encoders, store, progress=progress)
    return list(catalogue.ids)


Store.upserting = staticmethod(upsert)  # the store itself knows no encoders


def _lacking(survey: Survey, store: Store) -> list[str]:
    """The encoders of a store's items that lack vectors, or have failed on one of the images."""
    import pyarrow as pa
    import pyarrow.compute as pc

    digests = pa.array(survey.digests[survey.readable]).cast(pa.string())
    names = []
    for name in [card.name for card in store.served_by()]:
        known = np.asarray(pc.is_in(digests, store.known(name)), bool).all()
        failed = np.asarray(pc.is_in(survey.ids, store.failures(name)["id"]), bool).any()
        if failed or not known:
            names.append(name)
    return names


def _with_state(encoder: Encoder, store: Store) -> Encoder:
    """An encoder of a store, which has learnt there what it must."""
    state = store.state(str(encoder.spec)) if isinstance(encoder, FittedEncoder) else None
    if isinstance(encoder, FittedEncoder) and not encoder.fitted and state is not None:
        encoder.load_state(state)
    return encoder


def _survey(catalogue: Catalogue, store: Store, progress: Progress | None) -> Survey:
    return survey_files(catalogue, store, progress or (lambda _label, _done, _total: None))


def _encode(
    survey: Survey,
    encoders: Sequence[Encoder],
    store: Store,
    progress: Progress | None,
    *,
    overwrite: bool,
    serving: bool = False,
) -> list[EmbedRun]:
    """Makes the vectors that a store lacks."""
    say = progress or (lambda _label, _done, _total: None)
    replace = overwrite and (serving or _serves_only(survey, store))
    runs: list[EmbedRun] = []
    jobs: list[Job] = []
    for one in encoders:
        try:
            job = start_job(one, survey, store, overwrite=overwrite, replace=replace, say=say)
        except LikelensError as error:
            if not of_encoder(error):
                raise
            runs.append(EmbedRun(str(one.spec), error=error))
        else:
            jobs.append(job)
            runs.append(job.run)
    started = time.perf_counter()
    busy = [job for job in jobs if job.missing.any()]
    if busy:
        encode_missing(bundles(busy), survey, say)
    seconds = time.perf_counter() - started
    for job in jobs:
        job.finish(seconds, alone=len(jobs) == 1, tidy=serving)
    return runs


def _serves_only(survey: Survey, store: Store) -> bool:
    """Whether a store serves no item that is not in a catalogue."""
    import pyarrow.compute as pc

    return bool(np.asarray(pc.is_in(store.items()["id"], survey.ids), bool).all())


def prepare_search(encoder: Encoder, store: Store) -> str:
    """The name of an encoder's vectors in a store, with what it had learnt there loaded.

    Raises:
        FingerprintMismatch: the store's vectors come from another version of it.
        BadTable: the store has no vectors by it.
    """
    encoder = _with_state(encoder, store)
    unfitted = isinstance(encoder, FittedEncoder) and not encoder.fitted
    name = None if unfitted else store.find(encoder.card)
    if name is None:
        names = ", ".join(card.name for card in store.cards())
        raise BadTable(
            f"this store has no vectors by {encoder.spec}",
            where=store.place,
            hint=f"embed them first; it has: {names or 'none'}",
        )
    return name
