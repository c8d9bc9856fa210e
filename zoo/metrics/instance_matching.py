"""Matches instances one to one: the best pair first, or as many pairs as possible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Indices = NDArray[np.intp]


def match_greedily(first: Indices, second: Indices, values: NDArray[np.float64]) -> Indices:
    """Match the pair of the largest value, then the largest of the others; ties go to the lowest second, then first.

    Args:
        first: First instance of each pair that may match, [n].
        second: Second instance, [n].
        values: What is larger for a better pair, [n].

    Returns:
        The positions of the matched pairs.

    Example:
        >>> match_greedily(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.8, 0.8])).tolist()
        [0]
    """
    kept: list[int] = []
    used, taken = set(), set()
    for place in np.lexsort((first, second, -values)).tolist():
        one, other = int(first[place]), int(second[place])
        if one not in used and other not in taken:
            used.add(one)
            taken.add(other)
            kept.append(place)
    return np.array(sorted(kept), np.intp)


def match_best(first: Indices, second: Indices, values: NDArray[np.float64]) -> Indices:
    """Match as many pairs as possible and, of these matchings, one with the largest sum of values.

    Instances that no chain of pairs joins are matched apart, so that many small instances need little memory.

    Args:
        first: First instance of each pair that may match, [n].
        second: Second instance, [n].
        values: What is larger for a better pair, [n].

    Returns:
        The positions of the matched pairs.

    Example:
        >>> match_best(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([0.9, 0.8, 0.8])).tolist()
        [1, 2]
    """
    if not len(first):
        return np.empty(0, np.intp)
    count = int(first.max()) + 1
    total = count + int(second.max()) + 1
    graph = coo_array((np.ones(len(first)), (first, second + count)), shape=(total, total))
    groups = connected_components(graph, directed=False)[1][first]
    kept: list[int] = []
    places = np.argsort(groups, kind="stable")
    for group in np.split(places, np.flatnonzero(np.diff(groups[places])) + 1):
        rows, ones = np.unique(first[group], return_inverse=True)
        columns, others = np.unique(second[group], return_inverse=True)
        # A pair that may not match costs more than all pairs that may, so that as many as possible match.
        costs = np.full((len(rows), len(columns)), 1.0 + np.abs(values[group]).sum())
        costs[ones, others] = -values[group]
        where = np.full(costs.shape, -1)
        where[ones, others] = group
        found = where[linear_sum_assignment(costs)]
        kept += found[found >= 0].tolist()
    return np.array(sorted(kept), np.intp)
