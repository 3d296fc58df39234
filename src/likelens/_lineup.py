"""The encoders of a comparison: opened as far as they can be had, their vectors read one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ._embed import EmbedRun, Measured, Progress, measure_all
from .encoders.base import Encoder, FittedEncoder, VectorSource
from .encoders.opening import open_encoder, open_encoders, shown_as
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
    if not encoders or isinstance(encoders, str | Spec) or not isinstance(encoders, Iterable):
        raise BadTable(
            "encoders are a list of specs",
            where="encoders",
            hint='write ["onnx:model.onnx", "opencv:colour"]',
        )
    specs = [one for one in encoders if not isinstance(one, Encoder | VectorSource)]
    found, lost = open_encoders(specs, running)
    if lost and len(lost) == len(encoders):
        raise next(iter(lost.values()))
    by_spec = iter(found)
    opened = [
        one if isinstance(one, Encoder | VectorSource) else next(by_spec)
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
        measured: the vectors by content, and the store where they are kept.
        encoders: those that were measured, by spec.
        gallery: where these are queries of another catalogue: the vectors of that, from whose
            images an encoder learns if it learns.
    """

    measured: Measured
    encoders: Mapping[str, Encoder]
    gallery: Filled | None = None

    def read(self, encoder: Encoder | VectorSource) -> Embeddings:
        """One encoder's vectors.

        A source's own parts are not made again if the store has them.

        Raises:
            LikelensError: it failed, or stands on an encoder that cannot be had.
        """
        found = self._read(encoder)
        name = shown_as(encoder.spec, found.encoder.name)
        if name == found.encoder.name:
            return found
        details = {**found.encoder.details, "short_name_of": found.encoder.name}
        return replace(found, encoder=replace(found.encoder, name=name, details=details))

    def _read(self, encoder: Encoder | VectorSource) -> Embeddings:
        if isinstance(encoder, Encoder):
            if self.gallery is not None and isinstance(encoder, FittedEncoder):
                self.gallery.fit(encoder)
            made = self.measured.read(encoder)
            error = _error_of(self.measured.runs[str(encoder.spec)])
            if error is not None:
                raise error
            return made
        running = encoder.running
        return encoder.embeddings(
            self.measured.survey.catalogue, lambda spec: self.read(self._opened(spec, running))
        )

    def _opened(self, spec: str, running: Running | None) -> Encoder | VectorSource:
        """A part; that of an encoder that was measured is not loaded again."""
        return self.encoders.get(spec) or open_encoder(spec, running)

    def fit(self, encoder: FittedEncoder) -> None:
        """Have an encoder learn from these images, if it has not learnt yet."""
        if not encoder.fitted:
            self.measured.add([encoder])


def fill_lineup(
    catalogue: Catalogue,
    encoders: Sequence[Encoder | VectorSource],
    store: Store,
    *,
    overwrite: bool = False,
    gallery: Filled | None = None,
    progress: Progress | None = None,
) -> Filled:
    """Makes the vectors that a store lacks: each image is decoded once for all encoders.

    The items of the store are left alone, unless it has none: then it serves this catalogue, if
    it is not one of queries.

    Args:
        catalogue: whose images.
        encoders: opened; for queries of another catalogue those of the gallery, which have
            learnt what they must.
        store: where vectors are kept.
        overwrite: make the vectors of these images anew.
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
    measured = measure_all(
        catalogue,
        seeing,
        store,
        overwrite=overwrite,
        serve_if_new=gallery is None,
        progress=progress,
    )
    return Filled(measured, {str(one.spec): one for one in seeing}, gallery)


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
            missing[shown_as(encoder.spec, str(encoder.spec))] = why(error)
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
