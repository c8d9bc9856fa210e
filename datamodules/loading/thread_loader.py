"""A loader whose threads make batches ahead of the training step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from torch import Tensor
from torch.utils.data import DataLoader

from zoo.utils.parallel import map_in_order


@runtime_checkable
class FillsBuffer(Protocol):
    """A data set that fills a batch into memory that was allocated before."""

    def buffer(self, count: int) -> Any:
        """Memory for a batch of `count` samples."""

    def fill(self, buffer: Any, samples: list[Any]) -> Any:
        """The batch of these samples, in this memory."""


class ThreadLoader(DataLoader[Any]):
    """A `DataLoader` whose workers are threads, so that batches are not sent through a pipe and copied again.

    It replaces a `DataLoader` everywhere. Lightning uses its length, sampler and data set, and makes a second loader
    for prediction. Only the iteration differs. Batches keep the order of the sampler. Threads change no random state.

    MONAI's `ThreadDataLoader` (1.6.1) is no alternative. By default it has one thread, and an error in it ends
    the epoch without a message. With `use_thread_workers` it runs torch's worker loop in threads, which seeds the
    random state of the whole process and sets its number of threads to one.

    Attributes:
        most: Number of batches that are made per iteration; None for all. The trainer stops there too, but the threads
            would read further cases ahead of it.
        first: Number of batches that the next iteration leaves out, because they were trained on before an
            interruption.
    """

    most: int | None = None
    first: int = 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch names its own iterator's class
        threads, ahead = self.num_workers, self.num_workers * (self.prefetch_factor or 0)
        dataset: Any = self.dataset
        chosen, self.first = islice(self._index_sampler, self.first, self.most), 0
        # Memory is allocated and pinned in the thread of the reader. Memory of other threads goes back to the system
        # (glibc), and CUDA would open a context on the first GPU for them, also where this process has another GPU.
        if isinstance(dataset, FillsBuffer):
            buffers = ((dataset.buffer(len(samples)), samples) for samples in chosen)
            return map_in_order(lambda job: dataset.fill(*job), buffers, threads, ahead)
        batches = map_in_order(self._collated, chosen, threads, ahead)
        return map(_pinned, batches) if self.pin_memory else batches

    def check_worker_number_rationality(self) -> None:
        """Give no warning: torch warns of more processes than processors, but the workers here are threads."""

    def _collated(self, samples: Any) -> Any:
        return self.collate_fn([self.dataset[sample] for sample in samples])


def _pinned(batch: Any) -> Any:
    return {key: value.pin_memory() if isinstance(value, Tensor) else value for key, value in batch.items()}
