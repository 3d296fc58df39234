"""From pictures to vectors: resumable, in catalogue order, broken files set aside.

``survey`` looks at the files, ``jobs`` know what each encoder lacks, and ``passes`` carry
pictures through the networks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from ..encoders.base import Encoder, FittedEncoder, VectorSource
from ..encoders.opening import open_encoder
from ..store.base import Store, open_store
from ..values.catalogue import Catalogue
from ..values.embeddings import Embeddings
from ..values.errors import BadTable, LikelensError, of_encoder
from ..values.spec import Spec
from .jobs import EmbedRun, Job, start_job
from .passes import bundles, encode_missing
from .survey import Progress, check_catalogue, survey_files

__all__ = ["EmbedRun", "Progress", "embed", "fill", "fill_all", "prepare_search"]


def embed(
    catalogue: Catalogue,
    encoder: Encoder | VectorSource | Spec | str,
    store: Store | str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    forget: bool = False,
    progress: Progress | None = None,
) -> Embeddings:
    """The vectors of a catalogue's items, computing only those not yet in the store.

    Args:
        catalogue: whose pictures.
        encoder: an encoder or its spec.
        store: where vectors are kept; None keeps them in memory only.
        overwrite: make all of this encoder's vectors anew.
        forget: let most of the store's items go, if they are not in the catalogue.
        progress: told of every step.

    Returns:
        Embeddings in catalogue order; pictures that cannot be read are in
        ``failures`` with their reason.

    Raises:
        FingerprintMismatch: the store has vectors of that name by another encoder.
        BadTable: the store holds another catalogue, or most of its items would go.
    """
    kept = open_store(store)
    opened = open_encoder(encoder) if isinstance(encoder, str | Spec) else encoder
    if isinstance(opened, VectorSource):
        return opened.embeddings(
            catalogue,
            lambda spec: embed(
                catalogue,
                open_encoder(spec, opened.running),
                kept,
                forget=forget,
                progress=progress,
            ),
        )
    run = fill(catalogue, opened, kept, overwrite=overwrite, forget=forget, progress=progress)
    return kept.embeddings(run.name, catalogue.ids)


def fill(
    catalogue: Catalogue,
    encoder: Encoder,
    store: Store,
    *,
    overwrite: bool = False,
    forget: bool = False,
    progress: Progress | None = None,
) -> EmbedRun:
    """Brings a store up to date with a catalogue, without reading the vectors back.

    Takes and raises what ``embed`` does.
    """
    runs = fill_all(
        catalogue, [encoder], store, overwrite=overwrite, forget=forget, progress=progress
    )
    if runs[0].error is not None:
        raise runs[0].error
    return runs[0]


def fill_all(
    catalogue: Catalogue,
    encoders: Sequence[Encoder],
    store: Store,
    *,
    overwrite: bool = False,
    forget: bool = False,
    progress: Progress | None = None,
) -> list[EmbedRun]:
    """The same for several encoders: each picture is decoded once for all of them.

    Several layers of one network come out of one forward pass.

    An encoder that fails does not end the run of the others: its ``error`` says why.

    Takes and raises what ``embed`` does.
    """
    say = progress or (lambda _label, _done, _total: None)
    with store.writing():
        check_catalogue(catalogue, store, forget=forget)
        survey = survey_files(catalogue, store, say)
        runs: list[EmbedRun] = []
        jobs: list[Job] = []
        for one in encoders:
            try:
                jobs.append(start_job(one, survey, store, overwrite=overwrite, say=say))
                runs.append(jobs[-1].run)
            except LikelensError as error:
                if not of_encoder(error):
                    raise
                runs.append(EmbedRun(str(one.spec), error=error))
        shared = bundles(jobs)
        started = time.perf_counter()
        encode_missing(shared, survey, say)
        seconds = time.perf_counter() - started
        for job in jobs:
            job.finish(seconds, alone=len(jobs) == 1)
    return runs


def prepare_search(encoder: Encoder, store: Store) -> str:
    """The name of an encoder's vectors in a store, with what it had learnt there loaded.

    Raises:
        FingerprintMismatch: the store's vectors come from another version of it.
        BadTable: the store has no vectors by it.
    """
    if isinstance(encoder, FittedEncoder) and not encoder.fitted:
        state = store.state(str(encoder.spec))
        if state is not None:
            encoder.load_state(state)
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
