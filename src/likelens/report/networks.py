"""Which encoders of a comparison are one network: its layers, types of numbers and pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ..values.embeddings import EncoderCard
from ..values.errors import BadSpec
from ..values.spec import Spec

T = TypeVar("T")


def by_network(things: Sequence[T], card: Callable[[T], EncoderCard]) -> list[list[T]]:
    """The things whose encoders are one network together, in the order of their first.

    Two encoders are one network if the same accuracy was published of both, and they have
    the same source and identifier, or as many parameters.

    Args:
        things: whatever has an encoder.
        card: the card of a thing's encoder.
    """
    groups: list[list[T]] = []
    for thing in things:
        group = next((one for one in groups if _same(card(one[0]), card(thing))), None)
        if group is None:
            groups.append([thing])
        else:
            group.append(thing)
    return groups


def _same(one: EncoderCard, other: EncoderCard) -> bool:
    if one.accuracy != other.accuracy:
        return False
    as_large = one.parameters is not None and one.parameters == other.parameters
    return as_large or _source(one.name) == _source(other.name)


def _source(name: str) -> str:
    """A spec without its layer and options."""
    try:
        spec = Spec.parse(name)
    except BadSpec:
        return name
    return f"{spec.source}:{spec.identifier}"
