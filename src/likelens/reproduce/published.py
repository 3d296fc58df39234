"""What the CorrEmbed authors published, as far as it could be read, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..encoders.torch_load import need_library
from ..encoders.torchvision import find_weights
from ..values.errors import MissingExtra
from ..values.spec import Spec

PAPER = "https://arxiv.org/abs/2308.16126"
CODE = "https://github.com/cair/CorrEmbed_Evaluating_Pre-trained_Model_Efficacy"
NOTEBOOK = f"{CODE}/blob/main/Model_Evaluator_CLIP.ipynb"


@dataclass(frozen=True)
class PublishedCategory:
    """A tag category of the authors' catalogue, as their notebook prints it.

    Attributes:
        name: of the category.
        upper: the largest entropy it could have, the logarithm of its number of tags.
        entropy: mean entropy of customers' purchases.
        weight: 1 - entropy / upper, by which the released code multiplies its tags.
    """

    name: str
    upper: float
    entropy: float
    weight: float

    @property
    def tags(self) -> int:
        """Its number of tags, from ``upper``."""
        return round(math.exp(self.upper))


CATEGORIES = (
    PublishedCategory("Brand", 6.403574, 2.150160, 0.664225),
    PublishedCategory("Material", 3.737670, 2.052015, 0.450991),
    PublishedCategory("Category", 3.135494, 1.293279, 0.587536),
    PublishedCategory("Color", 2.944439, 1.930027, 0.344518),
    PublishedCategory("Size", 2.639057, 1.175349, 0.554633),
    PublishedCategory("Occasion", 2.564949, 1.831700, 0.285873),
    PublishedCategory("No category", 2.484907, 1.933907, 0.221739),
    PublishedCategory("Sleeve", 2.079442, 1.204265, 0.420871),
    PublishedCategory("Embellishment", 2.079442, 0.602437, 0.710289),
    PublishedCategory("Neckline", 2.079442, 1.310849, 0.369615),
    PublishedCategory("Waist", 1.945910, 1.152163, 0.407905),
    PublishedCategory("Pattern", 1.945910, 0.902646, 0.536132),
    PublishedCategory("Fit", 1.609438, 1.094322, 0.320059),
    PublishedCategory("Length", 1.609438, 1.033667, 0.357747),
)
"""Output of cell 9 of ``Model_Evaluator_CLIP.ipynb``, commit 55c2ad5."""


def imagenet_accuracy(spec: str) -> float | None:
    """Top-1 accuracy in percent that torchvision states of some weights; None if it is not said.

    Nothing is downloaded, and the network is not made.

    Raises:
        BadSpec: torchvision has no such weights.
    """
    parsed = Spec.parse(spec)
    if parsed.source != "torchvision" or "." not in parsed.identifier:
        return None
    try:
        models = need_library("torchvision.models", parsed)
    except MissingExtra:
        return None
    name, _, tag = parsed.identifier.partition(".")
    stated = find_weights(models, name, tag, parsed).meta.get("_metrics", {})
    accuracy: float | None = stated.get("ImageNet-1K", {}).get("acc@1")
    return accuracy
