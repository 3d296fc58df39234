"""The encoders of a comparison: opened as far as they can be had, their vectors read one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ._embed import EmbedRun, Progress, embed, fill_all, prepare_search
from .encoders.base import Encoder, FittedEncoder, VectorSource
from .encoders.opening import open_encoder, open_encoders
from .encoders.running import Running
from .store.base import Store
from .values.catalogue import Catalogue
from .values.embeddings import Embeddings
from .values.errors import BadTable, EncoderFailed, LikelensError, of_encoder, plural
from .values.spec import Spec

Named = Encoder | VectorSource | Spec | str


def open_lineup(
    encoders: Sequence[Named], running: Running | None
) -> tuple[list[Encoder | VectorSource], dict[str, str]]:
    """The encoders that can be had, and why the others cannot, by spec.

    Raises:
        BadTable: no encoders, no list of them, or one of them twice.
        BadSpec: an encoder is named wrongly.
        LikelensError: not one of them can be opened.
    """
    if not encoders or isinstance(encoders, str | Spec):
        raise BadTable(
            "encoders are a list of specs",
            where="encoders",
            hint='write ["onnx:model.onnx", "opencv:colour"]',
        )
    specs = [one for one in encoders if isinstance(one, str | Spec)]
    found, lost = open_encoders(specs, running)
    if lost and len(lost) == len(encoders):
        raise next(iter(lost.values()))
    by_spec = iter(found)
    opened = [
        next(by_spec) if isinstance(one, str | Spec) else one
        for one in encoders
        if str(one) not in lost
    ]
    return opened, {name: why(error) for name, error in lost.items()}


def check_catalogue(catalogue: object) -> None:
    """Refuse what is no catalogue, such as the path of one.

    Raises:
        BadTable: it is none.
    """
    if not isinstance(catalogue, Catalogue):
        raise BadTable(
            f"{catalogue!r} is no catalogue", where="catalogue", hint="give Catalogue.open(...)"
        )


def why(error: LikelensError) -> str:
    """Why an encoder is missing, in a line."""
    return f"{error.what}; {error.hint}"


@dataclass(frozen=True)
class Filled:
    """The vectors of a catalogue by some encoders; each is read when it is asked for.

    Attributes:
        catalogue: whose pictures.
        store: where the vectors are kept.
        names: under which name, by spec; vectors that come from no picture have none.
        gallery: the store from which an encoder that learns from pictures takes what it
            has learnt, where these are queries of another catalogue.
        progress: told of every step.
        errors: why an encoder failed, by spec.
    """

    catalogue: Catalogue
    store: Store
    names: Mapping[str, str]
    gallery: Store | None = None
    progress: Progress | None = None
    errors: Mapping[str, LikelensError] = field(default_factory=dict)

    def read(self, encoder: Encoder | VectorSource) -> Embeddings:
        """One encoder's vectors.

        A source's own parts are not made again if the store has them.

        Raises:
            LikelensError: it failed, or stands on an encoder that cannot be had.
        """
        if isinstance(encoder, Encoder):
            return self._kept(str(encoder.spec))
        running = encoder.running

        def by(spec: str) -> Embeddings:
            if spec in self.names:
                return self._kept(spec)
            part = open_encoder(spec, running)
            if self.gallery is not None and isinstance(part, FittedEncoder):
                prepare_search(part, self.gallery)
            return embed(self.catalogue, part, self.store, progress=self.progress)

        return encoder.embeddings(self.catalogue, by)

    def _kept(self, spec: str) -> Embeddings:
        if spec in self.errors:
            raise self.errors[spec]
        return self.store.embeddings(self.names[spec], self.catalogue.ids)


def fill_lineup(
    catalogue: Catalogue,
    encoders: Sequence[Encoder | VectorSource],
    store: Store,
    *,
    overwrite: bool = False,
    gallery: Store | None = None,
    progress: Progress | None = None,
) -> Filled:
    """Makes the vectors that a store lacks: each picture is decoded once for all encoders.

    Args:
        catalogue: whose pictures.
        encoders: opened; for queries of another catalogue those that the gallery was
            embedded with, which have learnt what they must.
        store: of this catalogue.
        overwrite: make all vectors anew.
        gallery: see ``Filled``.
        progress: told of every step.

    Raises:
        BadTable: an encoder is named twice, or as ``embed``.
    """
    marks = [encoder.fingerprint if isinstance(encoder, Encoder) else "" for encoder in encoders]
    names = [mark or str(encoder.spec) for mark, encoder in zip(marks, encoders, strict=True)]
    repeated = [
        str(e.spec) for name, e in zip(names, encoders, strict=True) if names.count(name) > 1
    ]
    if repeated:
        raise BadTable(
            f"one encoder is named twice: {', '.join(repeated)}",
            where="encoders",
            hint="name each once",
        )
    seeing = [encoder for encoder in encoders if isinstance(encoder, Encoder)]
    runs = fill_all(catalogue, seeing, store, overwrite=overwrite, progress=progress)
    kept = {str(one.spec): run.name for one, run in zip(seeing, runs, strict=True)}
    errors = {
        str(one.spec): error
        for one, run in zip(seeing, runs, strict=True)
        if (error := _error_of(run)) is not None
    }
    return Filled(catalogue, store, kept, gallery, progress, errors)


def _error_of(run: EmbedRun) -> LikelensError | None:
    """Why an encoder has no vectors, if that is so."""
    if run.error is None and run.empty:
        return EncoderFailed(
            f"it has no vector of any image: {run.failures[0][2]}",
            where=run.name,
            hint="check the images, and the encoder: likelens encoders check SPEC",
        )
    return run.error


def read_all(
    filled: Filled, encoders: Sequence[Encoder | VectorSource]
) -> tuple[list[Embeddings], dict[str, str]]:
    """The embeddings of the encoders that work, and why the others are missing, by spec.

    Raises:
        LikelensError: not one of them works.
    """
    found: list[Embeddings] = []
    missing: dict[str, str] = {}
    for encoder in encoders:
        try:
            found.append(filled.read(encoder))
        except LikelensError as error:
            missing[str(encoder.spec)] = why(error)
            if not of_encoder(error) or len(missing) == len(encoders):
                raise
    return found, missing


def enough(everything: list[Embeddings]) -> tuple[list[Embeddings], dict[str, str]]:
    """The embeddings that have items in common, and why the others are missing.

    Those with the fewest vectors go, until three items are left that all others have.
    """
    kept, missing = list(everything), dict[str, str]()
    while len(kept) > 1 and len(set.intersection(*(set(one.ids) for one in kept))) < 3:
        fewest = min(kept, key=len)
        kept = [one for one in kept if one is not fewest]
        missing[str(fewest.encoder)] = (
            f"it has vectors of {plural(len(fewest), 'item')} only, too few to compare it on"
        )
    return kept, missing


def notes_of(encoders: Sequence[Encoder | VectorSource]) -> tuple[str, ...]:
    """What was warned of when encoders were opened, with their names."""
    return tuple(
        dict.fromkeys(
            note if str(one.spec) in note else f"{one.spec}: {note}"
            for one in encoders
            for note in one.notes
        )
    )
