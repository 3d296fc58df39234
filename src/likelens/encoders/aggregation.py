"""One vector of many descriptors, each assigned to its nearest word: counts, tf-idf, VLAD.

All of them have length one, so that the dot product of two is a similarity.
"""

from __future__ import annotations

import numpy as np

from ..values.arrays import Array, Floats


def root_of_shares(members: Array, count: int) -> Floats:
    """The square root of the share of each word.

    The dot product of two is the Bhattacharyya coefficient of their word distributions, and
    a pattern that repeats does not drown the rest (Jégou et al. 2009,
    doi:10.1109/CVPR.2009.5206609).

    Args:
        members: (n,) positions of the descriptors' words, at least one.
        count: words in the vocabulary.

    Returns:
        (count,) float32.
    """
    counts = np.bincount(members, minlength=count)
    roots: Floats = np.sqrt(counts / counts.sum()).astype(np.float32)
    return roots


def inverse_document_frequency(with_word: Array, total: int) -> Floats:
    """How rare each word is: idf_i = log(N / n_i) for the n_i of N pictures that have it.

    Sivic & Zisserman 2009 (doi:10.1109/TPAMI.2008.111); in their paper of 2003 n_i counts
    all occurrences, which can exceed N. A word of every picture gets 0; a word of none
    counts as one of a single picture.

    Args:
        with_word: (words,) pictures that have each word.
        total: pictures, N.

    Returns:
        (words,) float32, from 0 to log(N).
    """
    rarity: Floats = np.log(total / np.maximum(with_word, 1)).astype(np.float32)
    return rarity


def tf_idf(members: Array, idf: Floats) -> Floats:
    """Each word's share of the descriptors times its idf, of length one.

    v_i = n_i / n * idf_i (Sivic & Zisserman 2003, doi:10.1109/ICCV.2003.1238663), whose
    dot product is the cosine that they rank by.

    Args:
        members: (n,) positions of the descriptors' words, at least one.
        idf: (words,) of ``inverse_document_frequency``.

    Returns:
        (words,) float32; zeros if every word of the picture is in all pictures.
    """
    return _of_length_one(np.bincount(members, minlength=len(idf)) / len(members) * idf)


def vlad(descriptors: Floats, members: Array, words: Floats) -> Floats:
    """The vector of locally aggregated descriptors, VLAD.

    v_i = sum of x - c_i over the descriptors x whose nearest word is c_i (Jégou et al. 2010,
    doi:10.1109/CVPR.2010.5540039). Of each value the square root is taken, with its sign
    kept, and the whole gets length one (Jégou et al. 2012, doi:10.1109/TPAMI.2011.235).
    There is neither whitening nor a norm for each word.

    Args:
        descriptors: (n, d), at least one.
        members: (n,) positions of their words.
        words: (words, d), the vocabulary.

    Returns:
        (words * d,) float32; zeros if every descriptor equals its word.
    """
    sums = np.zeros(words.shape)
    np.add.at(sums, members, descriptors - words[members])
    return _of_length_one((np.sign(sums) * np.sqrt(np.abs(sums))).ravel())


def _of_length_one(vector: Array) -> Floats:
    length = np.linalg.norm(vector)
    scaled: Floats = (vector / (length if length > 0 else 1.0)).astype(np.float32)
    return scaled
