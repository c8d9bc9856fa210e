"""Which case comes when: numbered draws for training, each case exactly once for evaluation.

A draw is a pure function of (seed, number). Its number does not depend on ranks or workers, so
neither they nor a resumed run can change what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from torch.utils.data import Sampler


def generator(seed: int, draw: int, stream: int = 0) -> np.random.Generator:
    """The random generator of one draw; each stream of a draw (patch, augmentation) has its own."""
    return np.random.default_rng((seed, draw, stream))


@lru_cache(maxsize=4)
def _order(cases: int, seed: int, turn: int) -> tuple[int, ...]:
    return tuple(np.random.default_rng((seed, turn, 0xCA5E)).permutation(cases).tolist())


def case_of(draw: int, cases: int, seed: int) -> int:
    """The case of a draw: every turn of `cases` draws visits each case once, in its own order."""
    turn, place = divmod(draw, cases)
    return _order(cases, seed, turn)[place]


class DrawSampler(Sampler[tuple[int, int]]):
    """Training draws, dealt to the ranks in turn.

    Args:
        cases: Number of training cases.
        samples: Draws of one epoch over all ranks.
        seed: Of the order.
        rank: This process.
        world: Number of processes.

    Yields:
        (case index, draw number); the draw number is epoch * samples + i and never comes twice.
    """

    def __init__(self, cases: int, samples: int, seed: int = 0, rank: int = 0, world: int = 1) -> None:
        self.cases, self.samples, self.seed, self.rank, self.world = cases, samples, seed, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch, also after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(range(self.rank, self.samples, self.world))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        first = self.epoch * self.samples
        for draw in range(first + self.rank, first + self.samples, self.world):
            yield case_of(draw, self.cases, self.seed), draw


class ExactOnceSampler(Sampler[int]):
    """Each case exactly once over all ranks; unlike torch's sampler it repeats none to even them out.

    Args:
        cases: Number of cases.
        rank: This process.
        world: Number of processes.
    """

    def __init__(self, cases: int, rank: int = 0, world: int = 1) -> None:
        self.indices = range(rank, cases, world)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)
