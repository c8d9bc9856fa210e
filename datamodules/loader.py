"""Batches made ahead of the training step by threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from datamodules.threads import in_order


class ThreadLoader(DataLoader[Any]):
    """A `DataLoader` whose workers are threads: what they cut is not sent through a pipe and copied again.

    Whoever takes a DataLoader (Lightning: its length, sampler, dataset, even making a second one for
    prediction) takes this one; only the iteration differs. Batches come in the sampler's order, and
    neither threads nor their number touch a random state.

    MONAI's `ThreadDataLoader` does not do. By default it has one thread, and an error in it ends the
    epoch without a word. With `use_thread_workers` it runs torch's worker loop in threads, which seeds
    the random state of the whole process and sets its number of threads to one (MONAI 1.6.1).
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch names its own iterator's class
        ahead = self.num_workers * (self.prefetch_factor or 0)
        return in_order(self._batch, self._index_sampler, self.num_workers, ahead)

    def _batch(self, places: Any) -> Any:
        """One batch, in pinned memory where asked for; torch's `__getitems__` serves a data set that makes it whole."""
        whole = getattr(self.dataset, "__getitems__", None)
        batch = self.collate_fn(whole(places) if whole else [self.dataset[place] for place in places])
        if not self.pin_memory:
            return batch
        return {key: value.pin_memory() if isinstance(value, Tensor) else value for key, value in batch.items()}
