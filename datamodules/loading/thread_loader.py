"""Batches made ahead of the training step by threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from torch import Tensor
from torch.utils.data import DataLoader

from zoo.utils.parallel import map_in_order


@runtime_checkable
class FillsBuffer(Protocol):
    """A data set that makes a batch in memory allocated beforehand."""

    def buffer(self, count: int) -> Any:
        """Memory for a batch of so many."""

    def fill(self, buffer: Any, places: list[Any]) -> Any:
        """The batch of these places, in that memory."""


class ThreadLoader(DataLoader[Any]):
    """A `DataLoader` whose workers are threads: what they cut is not sent through a pipe and copied again.

    Whoever takes a DataLoader takes this one (Lightning: its length, sampler and data set, even a second
    one for prediction); only the iteration differs. Batches come in the sampler's order, and
    neither threads nor their number touch a random state.

    MONAI's `ThreadDataLoader` (1.6.1) does not do. By default it has one thread, and an error in it ends
    the epoch without a word. With `use_thread_workers` it runs torch's worker loop in threads, which seeds
    the random state of the whole process and sets its number of threads to one.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch names its own iterator's class
        threads, ahead = self.num_workers, self.num_workers * (self.prefetch_factor or 0)
        dataset: Any = self.dataset
        # Memory is allocated and pinned in the reader's thread. What other threads ask for, glibc gives back to the
        # system, and CUDA would open a context on the first GPU for them, whichever is this process's.
        if isinstance(dataset, FillsBuffer):
            buffers = ((dataset.buffer(len(places)), places) for places in self._index_sampler)
            return map_in_order(lambda job: dataset.fill(*job), buffers, threads, ahead)
        batches = map_in_order(self._collated, self._index_sampler, threads, ahead)
        return map(_pinned, batches) if self.pin_memory else batches

    def check_worker_number_rationality(self) -> None:
        """Says nothing: torch warns of more processes than processors, and here are none."""

    def _collated(self, places: Any) -> Any:
        return self.collate_fn([self.dataset[place] for place in places])


def _pinned(batch: Any) -> Any:
    return {key: value.pin_memory() if isinstance(value, Tensor) else value for key, value in batch.items()}
