"""Sizes that cannot fit into the memory are refused before anything is allocated."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from datamodules.bases import memory
from datamodules.bases.memory import check_fits, check_training_fits
from datamodules.build import build_datamodule
from zoo.errors import ConfigError

GIB = 2**30


@pytest.fixture(autouse=True)
def _small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_bytes", lambda: 16 * GIB)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"patch": [10**5, 10**5]},
            r"--data\.patch \[100000, 100000\] needs at least 80\.0 GB of memory, more than 17",
        ),
        ({"pixels": 10**5}, r"--data\.pixels \[100000, 100000\] needs at least"),
        ({"counts": [10**9, 1, 1]}, r"--data\.counts \[1000000000, 1, 1\] is unusable\. Give 1000000 or fewer"),
    ],
)
def test_a_data_set_larger_than_the_memory_is_refused_when_it_is_built(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        build_datamodule("phantom_chest", "tiny", **options)


def test_a_volume_larger_than_the_memory_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--data\.shape \[8, 100000, 100000\] needs at least"):
        build_datamodule("phantom_abdomen", "tiny", shape=[8, 10**5, 10**5])


def test_a_training_with_batches_larger_than_the_memory_is_refused_before_a_case_is_prepared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = build_datamodule("phantom_chest", "tiny", patch=[10**4, 10**4], batch_size=4)  # 10^8 voxels per sample
    prepared: list[object] = []
    monkeypatch.setattr(type(data), "load", lambda self, case: prepared.append(case))
    reason = (
        r"--data\.patch \[10000, 10000\] with --data\.batch_size 4 needs at least 51\.2 GB of memory, "
        r"more than 17\.2 GB\. Give a smaller patch or fewer samples per batch"
    )
    for stage in ("fit", None):
        with pytest.raises(ConfigError, match=reason):
            data.setup(stage)
    assert not prepared


def test_the_batches_that_workers_make_ahead_count() -> None:
    check_training_fits([256, 256], 64, num_workers=16)
    with pytest.raises(
        ConfigError, match=r"--data\.num_workers 1000, which make 2001 batches ahead, needs at least 33"
    ):
        check_training_fits([256, 256], 64, num_workers=1000)


def test_the_memory_of_a_gpu_counts_where_it_is_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    gpu = type("Gpu", (), {"total_memory": 40 * GIB})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: gpu)
    check_fits([10**5, 10**5], "--data.patch")
    with pytest.raises(ConfigError, match=r"needs at least 200 GB of memory, more than 85\.9 GB"):
        check_fits([10**5, 10**5], "--data.patch", per_voxel=20)
