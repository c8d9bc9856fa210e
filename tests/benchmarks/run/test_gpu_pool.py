"""Leases of devices: what is seen, what a job asks for, and that no device is given out twice."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks.plan.job import Job, Settings
from benchmarks.run.gpu_pool import Pool, count_devices, filter_visible
from benchmarks.run.process_group import Stop
from tests.helpers.paths import REPOSITORY
from zoo.errors import ConfigError

LISTED = """GPU 0: NVIDIA A100 (UUID: GPU-aaa-1)
GPU 1: NVIDIA A100 (UUID: GPU-bbb-2)
  MIG 3g.20gb     Device  0: (UUID: MIG-ccc-3)
  MIG 3g.20gb     Device  1: (UUID: MIG-ddd-4)
"""


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["GPU-aaa-1", "MIG-ccc-3", "MIG-ddd-4"]),
        ("0", ["GPU-aaa-1"]),
        ("1,0", ["GPU-bbb-2", "GPU-aaa-1"]),
        ("GPU-bbb,MIG-ccc-3", ["GPU-bbb-2", "MIG-ccc-3"]),
        ("0,7,1", ["GPU-aaa-1"]),
        ("", []),
        ("-1", []),
    ],
)
def test_what_is_seen_is_what_cuda_sees(visible: str | None, expected: list[str]) -> None:
    assert filter_visible(LISTED, visible) == expected


def test_a_job_asks_for_what_its_trainer_and_flags_say() -> None:
    def asked(trainer: str, devices: int | None = None, *overrides: tuple[str, str]) -> int | str:
        return count_devices(Job("unet", "phantom_chest", 0, settings=Settings("tiny", trainer, devices, overrides)))

    assert asked("cpu") == asked("cpu", 2) == 0
    assert asked("gpu") == 1
    assert asked("gpu", 4) == 4
    assert asked("ddp") == "auto"
    assert asked("ddp", None, ("trainer.devices", "3")) == 3


def jobs(trainer: str, devices: int | None = None) -> list[Job]:
    return [Job("unet", "phantom_chest", seed, settings=Settings("tiny", trainer, devices)) for seed in range(3)]


@pytest.mark.parametrize(
    ("gpus", "at_once", "trainer", "devices", "expected"),
    [
        (8, None, "gpu", None, 8),
        (8, None, "gpu", 2, 4),
        (8, None, "ddp", None, 1),
        (8, 2, "ddp", None, 2),
        (8, None, "cpu", None, 1),
        (0, None, "gpu", None, 1),
        (0, 3, "cpu", None, 3),
    ],
)
def test_as_many_jobs_run_at_once_as_there_are_devices_for(
    gpus: int, at_once: int | None, trainer: str, devices: int | None, expected: int, tmp_path: Path
) -> None:
    pool = Pool([f"GPU-{n}" for n in range(gpus)], at_once, tmp_path)
    pool.plan_for(jobs(trainer, devices))
    assert pool.at_once == expected


def test_more_devices_than_there_are_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs 4 devices, and 2 are visible"):
        Pool(["GPU-0", "GPU-1"], None, tmp_path).plan_for(jobs("gpu", 4))


def test_jobs_share_no_device_and_all_are_given_back(tmp_path: Path) -> None:
    gpus = [f"GPU-{n}" for n in range(4)]
    pools = [Pool(gpus, 2, tmp_path), Pool(gpus, 2, tmp_path)]  # as of two runners
    job, held, most = jobs("gpu", 2)[0], list[str](), list[int]()
    lock = threading.Lock()

    def work(pool: Pool) -> None:
        for _ in range(5):
            with pool.lease(job, Stop()) as devices:
                assert devices is not None
                assert len(devices) == 2
                with lock:
                    assert not set(devices) & set(held)
                    held.extend(devices)
                    most.append(len(held))
                with lock:
                    for device in devices:
                        held.remove(device)

    threads = [threading.Thread(target=work, args=(pool,)) for pool in pools * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 20
    assert max(most) <= 4


def test_another_runners_device_is_not_taken_until_it_dies(tmp_path: Path) -> None:
    hold = (
        "import sys\nfrom pathlib import Path\n"
        "from benchmarks.run.gpu_pool import Pool\nfrom benchmarks.run.process_group import Stop\n"
        "from tests.benchmarks.run.test_gpu_pool import jobs\n"
        "with Pool(['GPU-0'], None, Path(sys.argv[1])).lease(jobs('gpu')[0], Stop()) as devices:\n"
        "    print(devices, flush=True)\n    sys.stdin.read()\n"
    )
    pool, job, stop = Pool(["GPU-0"], None, tmp_path), jobs("gpu")[0], Stop()
    command = [sys.executable, "-c", hold, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"['GPU-0']\n"
        threading.Timer(0.2, stop.ask).start()
        with pool.lease(job, stop) as devices:
            assert devices == []  # told to stop while it waited
        other.kill()
        other.wait()
        with pool.lease(job, Stop()) as devices:
            assert devices == ["GPU-0"]


def test_without_a_gpu_the_environment_is_left_alone_and_a_job_on_the_processor_sees_none(tmp_path: Path) -> None:
    with Pool([], 2, tmp_path).lease(jobs("cpu")[0], Stop()) as devices:
        assert devices is None
    with Pool(["GPU-0"], 1, tmp_path).lease(jobs("cpu")[0], Stop()) as devices:
        assert devices == []
