"""Tags that mean nothing: what an encoder scores by chance (CorrEmbed, Table 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..values.arrays import Array

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    Matrix = TypeVar("Matrix", Array, csr_array[Any])


def random_tags(tags: Matrix, seed: int = 0) -> Matrix:
    """Tags of the same shape and density, set anywhere: the control "random tags".

    As many entries as ``tags`` has, of the same values, in cells drawn uniformly
    without replacement; rows differ in number. The CorrEmbed of these tags is what
    chance gives, self pairs apart.

    Args:
        tags: (n, m) dense or SciPy CSR. Never changed.
        seed: of the draw; equal seeds give equal tags.

    Returns:
        A matrix of the same kind, shape and type.

    Example:
        >>> random_tags(np.eye(3, 4), seed=1).sum()
        np.float64(3.0)
    """
    random = np.random.default_rng(seed)
    cells = int(np.prod(tags.shape))
    values: Array = tags[np.nonzero(tags)] if isinstance(tags, np.ndarray) else tags.data
    values = values[values != 0]
    places = random.choice(cells, len(values), replace=False, shuffle=False)
    random.shuffle(places)
    if isinstance(tags, np.ndarray):
        out = np.zeros_like(tags)
        out.ravel()[places] = values
        return out
    from scipy.sparse import csr_array

    rows, columns = np.divmod(places, tags.shape[1])
    return csr_array((values, (rows, columns)), shape=tags.shape)


def shuffled_tags(tags: Matrix, seed: int = 0) -> Matrix:
    """The same rows of tags, given to other items: the control "shuffled tags".

    Args:
        tags: (n, m) dense or SciPy CSR. Never changed.
        seed: of the permutation; equal seeds give equal tags.

    Returns:
        A matrix of the same kind, shape and type, its rows permuted uniformly.

    Example:
        >>> shuffled_tags(np.array([[1], [2], [3]]), seed=0).ravel()
        array([3, 1, 2])
    """
    return tags[np.random.default_rng(seed).permutation(tags.shape[0])]
