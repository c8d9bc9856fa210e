"""Threads that make batches: the order, errors, ends and memory of what they make."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from datamodules.build import build_datamodule
from datamodules.loading.datasets import TrainingSet
from datamodules.loading.foreground import list_foreground
from datamodules.loading.loaders import make_loader
from datamodules.loading.samplers import DrawSampler
from datamodules.loading.text_source import SplitText
from datamodules.loading.thread_loader import ThreadLoader
from tests.helpers.data_sets import make_hippocampus
from zoo.errors import DataError
from zoo.preprocessing.apply import PreparedCase
from zoo.types import Case, Geometry
from zoo.utils.parallel import map_in_order


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not {thread for thread in threading.enumerate() if thread.is_alive()} - before


def slow_at_first(number: int) -> int:
    time.sleep(0.02 / (1 + number))
    return number * number


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_come_in_order(threads: int) -> None:
    assert list(map_in_order(slow_at_first, range(20), threads)) == [number * number for number in range(20)]
    assert list(map_in_order(slow_at_first, [], threads)) == []


@pytest.mark.parametrize(("threads", "ahead"), [(0, 0), (1, 1), (2, 4), (3, 0)])
def test_no_more_is_taken_than_needed(threads: int, ahead: int) -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = map_in_order(slow_at_first, numbers(), threads, ahead)
    assert not taken
    for count in range(1, 10):
        next(results)
        assert len(taken) == count + (ahead if threads else 0)


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_comes_in_its_place_and_ends_it(threads: int) -> None:
    called: list[int] = []

    def work(number: int) -> int:
        called.append(number)
        if number == 3:
            raise DataError("scan.nii: truncated.", "Fetch it again.")
        return number

    results = map_in_order(work, range(1000), threads)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match=r"^scan.nii: truncated. Fetch it again.$"):
        next(results)
    assert list(results) == []
    assert len(called) < 20


def test_closing_early_ends_the_threads() -> None:
    alive = threading.active_count()
    results = map_in_order(slow_at_first, range(1000), 3)
    next(results)
    assert threading.active_count() > alive
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == alive


class Numbers(Dataset[dict[str, Any]]):
    """Items 0 to 9, the fifth of which may be bad."""

    def __init__(self, bad: bool = False) -> None:
        self.bad = bad

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> dict[str, Any]:
        if self.bad and index == 5:
            raise DataError("5.png: unreadable.")
        return {"number": index, "random": torch.tensor(float(index))}


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_a_loader_is_what_torch_s_is(workers: int) -> None:
    options: dict[str, Any] = {"batch_size": 3, "sampler": [4, 8, 0, 2, 2, 9, 1]}
    ours = ThreadLoader(Numbers(), num_workers=workers, **options)
    theirs = torch.utils.data.DataLoader(Numbers(), **options)
    assert len(ours) == len(theirs) == 3
    for _ in range(2):  # one iteration after the other
        for one, other in zip(ours, theirs, strict=True):
            assert one.keys() == other.keys()
            assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_a_worker_is_the_error_itself(workers: int) -> None:
    batches = iter(ThreadLoader(Numbers(bad=True), batch_size=1, num_workers=workers))
    seen = [int(next(batches)["number"]) for _ in range(5)]
    with pytest.raises(DataError) as caught:
        next(batches)
    assert str(caught.value) == "5.png: unreadable."
    assert seen == [0, 1, 2, 3, 4]


def test_an_interrupted_pass_leaves_no_thread_and_the_next_pass_is_complete() -> None:
    alive = threading.active_count()
    loader = ThreadLoader(Numbers(), batch_size=2, num_workers=3)
    for _ in loader:
        break
    assert threading.active_count() == alive
    assert len(list(loader)) == 5


def test_random_states_and_threads_of_the_process_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """MONAI's loader of threads changes both."""
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].tobytes()  # type: ignore[index]
        list(ThreadLoader(Numbers(), batch_size=2, num_workers=2))
        assert torch.get_num_threads() == 3
        assert torch.equal(torch_state, torch.get_rng_state())
        assert np.random.get_state()[1].tobytes() == numpy_state  # type: ignore[index]
    finally:
        torch.set_num_threads(threads)


def volume(channels: int = 1, side: int = 12, *, labelled: bool = True) -> PreparedCase:
    shape = (side,) * 3
    image = np.random.default_rng(channels).random((channels, *shape), dtype=np.float32) + 1
    label = (image[:1] > 1.5).astype(np.uint8) if labelled else None
    geometry = Geometry(None, shape, ((0, side),) * 3, (1.0, 1.0, 1.0), "mm")
    listed = None if label is None else list_foreground(label, True, 1)
    return PreparedCase(image, label, geometry, None, listed)


def patches(volumes: list[PreparedCase], workers: int, patch: int = 8) -> ThreadLoader:
    cases = [Case(str(number), (), None, str(number)) for number in range(len(volumes))]
    data = TrainingSet(cases, lambda case: volumes[int(case.case_id)], (patch,) * 3, 0, SplitText(()))
    return make_loader(data, DrawSampler(len(cases), 24), 4, workers)


def test_batches_that_are_kept_are_not_written_over() -> None:
    volumes = [volume(side=side) for side in (6, 9, 12)]  # the first is padded, the last cut
    kept = list(patches(volumes, 3))
    for one, other in zip(kept, patches(volumes, 0), strict=True):
        assert torch.equal(one["image"], other["image"])
        assert torch.equal(one["label"], other["label"])
        assert (one["image"][one["image"] != 0] >= 1).all()  # memory that was not filled would show
    assert len({batch["image"].data_ptr() for batch in kept}) == len(kept) == 6


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("odd", "says"), [(volume(2), "1: 2 channels of image"), (volume(labelled=False), "1: 0 channels of label")]
)
def test_a_case_with_other_channels_is_reported(odd: PreparedCase, says: str, workers: int) -> None:
    with pytest.raises(DataError, match=says):
        list(patches([volume(), odd], workers))


def test_data_sets_without_labels_have_batches_without_labels() -> None:
    batch = next(iter(patches([volume(labelled=False)], 0)))
    assert "label" not in batch
    assert batch["image"].shape == (4, 1, 8, 8, 8)


class Idle(L.LightningModule):
    """Iterates over batches and fails at a given batch."""

    def __init__(self, fail: bool = False) -> None:
        super().__init__()
        self.weight, self.fail = torch.nn.Parameter(torch.zeros(())), fail
        self.predicted: list[str] = []

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        if self.fail and index == 1:
            raise DataError("stopped in the midst.")
        return torch.as_tensor(batch["image"].mean() * self.weight)

    def validation_step(self, batch: Any, index: int) -> None:
        return None

    def predict_step(self, batch: Any, index: int) -> None:
        self.predicted += batch["case_id"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.parametrize("fail", [False, True])
def test_lightning_takes_it_for_its_own(tmp_path: Path, fail: bool) -> None:
    """Limits, sanity checks, a second loader for prediction, and an error of the model: no thread is left."""
    root = str(make_hippocampus(tmp_path, 6))
    data = build_datamodule("hippocampus", "tiny", root=root, patch=[16, 16, 16], epoch_samples=16, num_workers=2)
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = L.Trainer(max_epochs=2, accelerator="cpu", limit_train_batches=3, enable_model_summary=False, **options)
    model = Idle(fail)
    if fail:
        with pytest.raises(DataError, match="in the midst"):
            trainer.fit(model, datamodule=data)
        return
    trainer.fit(model, datamodule=data)
    assert trainer.global_step == 6
    trainer.predict(model, datamodule=data)
    assert sorted(model.predicted) == sorted(data.split.test)
