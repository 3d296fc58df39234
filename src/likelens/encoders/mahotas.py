"""Visual words over SURF: ``mahotas:surf``, by the library of that name."""

from __future__ import annotations

import numpy as np

from ..values.arrays import Array, Floats, rows_not_finite
from ..values.extras import need
from ..values.spec import Spec
from .base import Encoder
from .classical import chosen
from .visual_words import WordsEncoder

EXAMPLES = ("mahotas:surf?sample=40&words=16",)


def open_mahotas(spec: Spec) -> Encoder:
    """Visual words over SURF, by the library mahotas: mahotas:surf.

    Raises:
        BadSpec: no such encoder, or it has no such option or layer.
        MissingExtra: mahotas is not installed.
    """
    return chosen(spec, {"surf": SurfWords})(spec)


class SurfWords(WordsEncoder):
    """SURF (Bay et al. 2008, doi:10.1016/j.cviu.2007.09.014), 64 sums of Haar wavelets.

    Descriptors have length one. Blobs must lie well within the picture, so small pictures
    have few keypoints, and those of less than some 70 pixels a side none.
    mahotas turns descriptors to their keypoint's direction only roughly.
    """

    binary = False
    _width = 64

    def __init__(self, spec: Spec) -> None:
        mahotas = need("mahotas", extra="classical", where=str(spec))
        self._surf = need("mahotas.features.surf", extra="classical", where=str(spec)).surf
        self.libraries = {**self.libraries, "mahotas": str(mahotas.__version__)}
        super().__init__(spec)

    def describe(self, grey: Array) -> Floats:
        """The (keypoints, 64) descriptors."""
        found = np.asarray(self._surf(grey, descriptor_only=True), np.float32)
        return np.delete(found, rows_not_finite(found), axis=0)
