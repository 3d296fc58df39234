"""What is asked: pictures, texts and what counts against, and the one vector made of them."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from .._embed.survey import content_digest
from ..encoders.base import Encoder, VectorSource
from ..images import Picture, open_image, read_bytes
from ..values.arrays import Array, Floats, unit_rows
from ..values.boxes import Boxed
from ..values.catalogue import Catalogue
from ..values.columns import nfc
from ..values.embeddings import Embeddings
from ..values.errors import BadImage, BadQuery, LikelensWarning
from ..values.places import is_image_name
from ..values.remote import is_address, local_image

TEXT_WEIGHT = 0.5
"""Weight of texts beside pictures, if none is given."""

MINUS_WEIGHT = 0.25
"""How much what counts against an item counts; see docs/search.md for what more does."""

NOTHING = 1e-6
"""Length of a vector below which it points nowhere."""


@dataclass(frozen=True)
class Query:
    """What is asked.

    Attributes:
        pictures: pictures to be like.
        texts: texts to be like.
        minus: pictures to be unlike.
        region: the part of the only picture, or None for the whole.
        text_weight: of the texts beside the pictures, from 0 to 1; None for half.
        minus_weight: of ``minus``; None for ``MINUS_WEIGHT``.
    """

    pictures: tuple[Picture, ...]
    texts: tuple[str, ...] = ()
    minus: tuple[Picture, ...] = ()
    region: str | None = None
    text_weight: float | None = None
    minus_weight: float | None = None

    def check(self) -> None:
        """Refuse what cannot be asked.

        Raises:
            BadQuery: nothing is asked, or a part or weight makes no sense.
        """
        if not self.pictures and not self.texts:
            raise BadQuery(
                "no picture was given",
                where="search",
                hint="give a path, a picture, an id (as text), or --text",
            )
        if any(not isinstance(text, str) or not text.strip() for text in self.texts):
            raise BadQuery(
                "a text to search for is empty", where="--text", hint="write what to find"
            )
        if self.region is not None and len(self.pictures) != 1:
            raise BadQuery(
                f"a region of {len(self.pictures)} pictures is not defined",
                where="search",
                hint="give one picture with --region",
            )
        if self.text_weight is not None and not (self.pictures and self.texts):
            raise BadQuery(
                "a weight of texts needs pictures and texts to weigh",
                where="--text-weight",
                hint="give a picture and --text, or leave --text-weight out",
            )
        if self.text_weight is not None and not 0.0 <= self.text_weight <= 1.0:
            raise BadQuery(
                f"a weight of texts of {self.text_weight:g} is not from 0 to 1",
                where="--text-weight",
                hint="give 0 for pictures alone, 1 for texts alone, such as 0.3",
            )
        if self.minus_weight is not None and not self.minus:
            raise BadQuery(
                "a weight of what counts against needs something that does",
                where="--minus-weight",
                hint="give --minus PICTURE, or leave --minus-weight out",
            )
        if self.minus_weight is not None and not 0.0 < self.minus_weight < np.inf:
            raise BadQuery(
                f"a weight of {self.minus_weight:g} for what counts against is not above 0",
                where="--minus-weight",
                hint=f"give a number above 0, such as {MINUS_WEIGHT:g}",
            )

    @property
    def pooled(self) -> bool:
        """Whether its vector is another than that of a single picture."""
        return len(self.pictures) != 1 or bool(self.texts or self.minus)


class Reader:
    """Turns what is asked into a vector, by stored vectors where there are some.

    Args:
        encoder: what looks at pictures and reads texts.
        embeddings: its vectors of the items.
        catalogue: the items.
        digests: (n,) of the content of each item's image.
    """

    def __init__(
        self,
        encoder: Encoder | VectorSource,
        embeddings: Embeddings,
        catalogue: Catalogue,
        digests: Sequence[str | None],
    ) -> None:
        self.encoder, self.embeddings, self.catalogue = encoder, embeddings, catalogue
        self.row = {item: row for row, item in enumerate(embeddings.ids)}
        self.digests = digests

    def vector(self, query: Query) -> Floats:
        """The vector of a query.

        With p the mean of the pictures' unit vectors, t of the texts', m of what counts
        against, each scaled to length one, and w and g their weights,

            (1 - w) p + w t - g m,

        the linear form of relevance feedback (Rocchio 1971) with unit vectors.

        Raises:
            BadImage: a picture cannot be read.
            BadQuery: nothing can be seen, or it cannot read texts.
        """
        parts = []
        if query.pictures:
            parts.append(self._mean([self._vector(one, query.region) for one in query.pictures]))
        if query.texts:
            parts.append(self._mean(list(self._texts(query.texts))))
        weight = TEXT_WEIGHT if query.text_weight is None else query.text_weight
        asked = parts[0] if len(parts) == 1 else (1 - weight) * parts[0] + weight * parts[1]
        self._refuse_nothing(asked, query, "sees nothing to search for")
        if not query.minus:
            return asked
        against = self._mean([self._vector(one, None) for one in query.minus])
        if np.linalg.norm(unit_rows(asked[None])[0] - against) < 1e-3:
            raise BadQuery(
                f"{self.encoder.spec} sees no difference between what is searched for and what "
                "counts against it",
                where=f"--minus {', '.join(map(name_of, query.minus))}",
                hint="leave --minus out, or give a picture that differs",
            )
        weight = MINUS_WEIGHT if query.minus_weight is None else query.minus_weight
        asked = asked - weight * against
        self._refuse_nothing(asked, query, "sees nothing that is left to search for")
        return asked

    def _refuse_nothing(self, vector: Floats, query: Query, what: str) -> None:
        if not np.linalg.norm(vector) > NOTHING:
            raise BadQuery(
                f"{self.encoder.spec} {what}: the query's vector is zero",
                where=", ".join([*map(name_of, query.pictures), *query.texts]),
                hint="use another picture, a larger region, or another encoder",
            )

    @staticmethod
    def _mean(vectors: Sequence[Floats]) -> Floats:
        """(d,) mean of the unit vectors, scaled to length one."""
        mean: Floats = unit_rows(unit_rows(np.stack(vectors)).mean(axis=0)[None])[0]
        return mean

    def _texts(self, texts: Sequence[str]) -> Floats:
        if not self.reads_text:
            raise BadQuery(
                f"{self.encoder.spec} cannot read text",
                where=f"--text {texts[0]!r}",
                hint="use an encoder with a text tower, such as "
                "open_clip:ViT-B-32/laion2b_s34b_b79k or hf:openai/clip-vit-base-patch32",
            )
        assert isinstance(self.encoder, Encoder)  # noqa: S101 - no other reads text
        return self.encoder.encode_text(texts)

    @property
    def reads_text(self) -> bool:
        """Whether the encoder has a text tower."""
        return isinstance(self.encoder, Encoder) and self.encoder.reads_text

    def item(self, picture: Picture) -> str | None:
        """The id of the item that an image is, or None if it is not one of them.

        An image is an item by its id, by the path of its file, or by the content of its file,
        so that a copy elsewhere counts as well. Of items with the same content it is the one
        with the same file name, or the first.
        """
        if isinstance(picture, str) and nfc(picture) in self.catalogue.position:
            return nfc(picture)
        if self.catalogue.boxes is not None:  # the whole file shows more than any item
            return None
        if isinstance(picture, str):
            picture = local_image(picture)
        if isinstance(picture, bytes):
            return self._item_with(content_digest(picture), "")
        if not isinstance(picture, str | os.PathLike):
            return None
        path = Path(picture)
        if not is_file(path):
            return None
        real = path.resolve()
        for row in self._rows_by_name.get(real.name, []):
            if self.catalogue.paths[row].resolve() == real:
                return self.catalogue.ids[row]
        return self._item_with(_digest_of(path), real.name)

    def _item_with(self, digest: str | None, name: str) -> str | None:
        rows = self._rows_by_digest.get(digest, []) if digest else []
        named = [row for row in rows if self.catalogue.paths[row].name == name]
        return self.catalogue.ids[(named or rows)[0]] if rows else None

    def sorted_out(self, query: Sequence[Picture]) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
        """Images and ids; and words, which is what is neither, if the encoder reads text.

        What looks like a path is not read as words, even if there is no such file.
        """
        words = [isinstance(one, str) and self._is_words(one) for one in query]
        pairs = list(zip(query, words, strict=True))
        return tuple(one for one, read in pairs if not read), tuple(
            str(one) for one, read in pairs if read
        )

    def _is_words(self, text: str) -> bool:
        path_like = any(sign in text for sign in "/\\") or is_image_name(text)
        return self.reads_text and not path_like and not self.knows(text)

    def knows(self, name: str) -> bool:
        """Whether a text is the id of an item, the path of a file, or an address."""
        known = nfc(name) in self.catalogue.position
        return known or is_address(name) or is_file(Path(name))

    @cached_property
    def _rows_by_name(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, path in enumerate(self.catalogue.paths):
            rows.setdefault(path.name, []).append(row)
        return rows

    @cached_property
    def _rows_by_digest(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, digest in enumerate(self.digests):
            if digest:
                rows.setdefault(digest, []).append(row)
        return rows

    def _vector(self, picture: Picture, region: str | None) -> Floats:
        item = self.item(picture)
        if item is not None and item in self.row and region is None and self._same(picture, item):
            stored: Floats = self.embeddings.vectors[self.row[item]]
            return stored
        encoded: Floats = self.encoder.encode([self.picture(picture, region)])[0]
        return encoded

    def _same(self, picture: Picture, item: str) -> bool:
        """Whether an image still has the content that the item's vector was made from."""
        if not isinstance(picture, str | os.PathLike):
            return True
        if isinstance(picture, str) and nfc(picture) == item:
            return True
        now = _digest_of(Path(picture))
        return now is None or now == self.digests[self.catalogue.position[item]]

    def picture(self, picture: Picture, region: str | None = None) -> Picture:
        """The image of a query, or the part of it that a region names; of an id, the item's.

        Raises:
            BadImage: it cannot be read.
            BadQuery: there is no such picture or item, or the region makes no sense.
        """
        source = picture
        if isinstance(picture, str) and nfc(picture) in self.catalogue.position:
            source = self.catalogue.picture(self.catalogue.position[nfc(picture)])
        if isinstance(source, str):
            source = local_image(source)
        if isinstance(source, str) and not is_file(Path(source)):
            text = ", or --text" if self.reads_text else f"; {self.encoder.spec} cannot read text"
            raise BadQuery(
                "there is no such picture, and no item of that id",
                where=source,
                hint=f"give the path of a picture, an id of the catalogue{text}",
            )
        return source if region is None else crop(open_image(source), region)


REGION = re.compile(r"\s*(\d+(?:\.\d+)?)(%?)\s*" + r",\s*(\d+(?:\.\d+)?)(%?)\s*" * 3)


def crop(image: Array, region: str) -> Array:
    """The part of a picture that a region names.

    Args:
        image: (height, width, 3).
        region: ``x,y,w,h`` from the upper left corner, each in pixels or, with ``%``,
            in percent of the width or height. What reaches over the edge is cut, with a
            warning.

    Raises:
        BadQuery: not of that form, or outside the picture.
    """
    form = REGION.fullmatch(region)
    height, width = image.shape[:2]
    hint = f"write x,y,w,h in pixels of {width} x {height}, or in percent: 25%,0%,50%,100%"
    if form is None or any(0 < float(form[1 + 2 * n]) < 1 and not form[2 + 2 * n] for n in (2, 3)):
        raise BadQuery("the region cannot be understood", where=f"--region {region}", hint=hint)
    parts = [
        float(form[1 + 2 * place]) * (size / 100 if form[2 + 2 * place] else 1)
        for place, size in enumerate((width, height, width, height))
    ]
    left, top = round(parts[0]), round(parts[1])
    right, bottom = round(parts[0] + parts[2]), round(parts[1] + parts[3])
    part = np.ascontiguousarray(image[top : min(bottom, height), left : min(right, width)])
    if part.size == 0:
        raise BadQuery(
            "the region is empty or lies outside the picture",
            where=f"--region {region}",
            hint=hint,
        )
    if right > width or bottom > height:
        warnings.warn(
            f"the region {region} reaches over the picture's edge, and is cut to "
            f"{part.shape[1]} x {part.shape[0]} pixels",
            LikelensWarning,
            stacklevel=2,
        )
    return part


def several(query: Picture | Sequence[Picture]) -> tuple[Picture, ...]:
    """One picture, or several, as several; nothing that can be read as pictures as none."""
    if isinstance(query, str | bytes | os.PathLike | np.ndarray | Image.Image | Boxed):
        return (query,)
    return tuple(query) if isinstance(query, Iterable) else ()


def name_of(picture: Picture) -> str:
    """How a picture is called."""
    if isinstance(picture, str | os.PathLike):
        return os.fspath(picture)
    return type(picture).__name__


def _digest_of(path: Path) -> str | None:
    """The digest of a file's content, or None if it cannot be read."""
    try:
        return content_digest(read_bytes(path))
    except BadImage:
        return None


def is_file(path: Path) -> bool:
    """Whether it is a file; a text too long for a name, or with odd signs, is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
