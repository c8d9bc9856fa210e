"""Faults in clean replicas: `zoo data verify` reports each one with file and kind, and nothing else."""

from __future__ import annotations

import random
import shutil
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from datamodules.verify import KINDS, Report, inspect
from tests.helpers.data_sets import REPLICAS, make_hippocampus, write_png
from tests.helpers.file_damage import (
    CHEST,
    SCAN,
    TABLE,
    brighter,
    copy_case,
    edit,
    place,
    shifted,
    stray_value,
    truncate,
    with_value,
)
from tests.helpers.image_sets import make_own_pictures
from tests.helpers.injected_faults import INJECTED
from zoo.errors import FAULTS
from zoo.io.readers import Reader


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The clean replica of a data set, made once."""
    made: dict[str, Path] = {}

    def replica(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            few: dict[str, Callable[[], Path]] = {"hippocampus": lambda: make_hippocampus(folder, 6)}
            made[name] = few.get(name, lambda: REPLICAS[name](folder))()
        return made[name]

    return replica


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is prepared or written."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    yield
    assert not (tmp_path / "cache").exists()


def inspect_replica(name: str, root: Path, workers: int = 2, **options: Any) -> Report:
    return inspect(build_datamodule(name, "tiny", root=str(root), **options), workers=workers)


@pytest.mark.parametrize("fault", INJECTED)
def test_each_fault_is_found_and_nothing_else(fault: str, clean: Callable[[str], Path], tmp_path: Path) -> None:
    injected = INJECTED[fault]
    source = clean(injected.data)
    root = Path(shutil.copytree(source, tmp_path / source.name))
    injected.damage(root)
    found = inspect_replica(injected.data, root, **injected.options).findings
    assert [finding.kind for finding in found] == [injected.kind] * len(found)
    assert len({finding.kind for finding in found}) == 1
    assert len(found) == (12 if fault == "colour" else 1)  # every picture of this data set is in colour
    first = found[0]
    assert injected.file in first.file
    assert injected.words in first.problem
    assert first.problem.startswith(first.file)
    assert "\n" not in first.problem + first.fix


def test_every_kind_is_injected() -> None:
    other = {"shared_case"}  # needs a second data set: tests/datamodules/verify/test_shared_cases.py
    assert {injected.kind for injected in INJECTED.values()} | other == set(FAULTS) == set(KINDS)
    assert tuple(KINDS) == FAULTS


def test_clean_replicas_have_no_findings_and_are_read_completely(clean: Callable[[str], Path]) -> None:
    for name, files in {"hippocampus": 12, "qata_cov19": 28, "brats": 35, "chaos": 60}.items():
        report = inspect_replica(name, clean(name))
        assert report.findings == ()
        assert report.files == files


def test_the_known_wrong_value_is_corrected_by_its_option(clean: Callable[[str], Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean("mmwhs_mr"), tmp_path / "heart"))
    stray_value(root)
    assert inspect_replica("mmwhs_mr", root, mend_labels=True).findings == ()
    (finding,) = inspect_replica("mmwhs_mr", root).findings
    assert "mend_labels" in finding.fix


def test_an_unreadable_table_does_not_hide_other_faults(clean: Callable[[str], Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean("qata_cov19"), tmp_path / "qata"))
    (root / TABLE).write_bytes(b"\xff\xfe\x00bad")
    truncate(root / CHEST)
    assert inspect_replica("qata_cov19", root).kinds == {"unreadable": 1, "caption_table": 1}


def test_a_lenient_inspection_leaves_training_strict(clean: Callable[[str], Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean("mosmed_plus"), tmp_path / "mosmed"))
    table = next(root.glob("Train_text*"))
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[1]]) + "\n")
    data = build_datamodule("mosmed_plus", "tiny", root=str(root))
    assert inspect(data, workers=1).kinds == {"caption_doubled": 1}
    with pytest.raises(Exception, match="comes twice"):
        data.setup("fit")


def test_a_data_set_may_allow_empty_masks(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    write_png(root / "masks" / "p3.png", np.zeros((48, 40), np.uint8))
    assert inspect_replica("image_text_folder", root).kinds == {"empty_mask": 1}
    with (root / "dataset.yaml").open("a") as facts:
        facts.write("empty_masks: true\n")
    assert inspect_replica("image_text_folder", root).findings == ()


def test_the_card_defines_left_and_right(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    facts = root / "dataset.yaml"
    facts.write_text(facts.read_text().replace("laterality: image", "laterality: patient"))
    assert inspect_replica("image_text_folder", root).kinds == {"side_contradiction": 12}
    facts.write_text(facts.read_text().replace("laterality: patient\n", ""))
    assert inspect_replica("image_text_folder", root).findings == ()


def test_two_visits_of_one_subject_may_look_similar(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)  # pictures 0 and 1 are of one person
    write_png(root / "pictures" / "p1.png", brighter(np.asarray(Image.open(root / "pictures" / "p0.jpg"))))
    table = root / "cases.csv"
    table.write_text(table.read_text("utf-8-sig").replace("p1.jpg", "p1.png"), encoding="utf-8")
    facts = root / "dataset.yaml"
    facts.write_text(facts.read_text().replace("laterality: image\n", ""))
    assert inspect_replica("image_text_folder", root).findings == ()
    table.write_text(table.read_text().replace("person 0", "person 9", 1), encoding="utf-8")
    (finding,) = inspect_replica("image_text_folder", root).findings
    assert finding.kind.startswith("near_duplicate")


class SlowReader(Reader):
    """Reads with random delays and counts the arrays that exist at once."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        object.__setattr__(self, "chance", random.Random(seed))  # noqa: S311 - no secret
        object.__setattr__(self, "held", [0, 0])
        object.__setattr__(self, "lock", Lock())

    def _counted(self, found: tuple[Any, Any]) -> tuple[Any, Any]:
        own: Any = self
        time.sleep(own.chance.random() / 200)
        with own.lock:
            own.held[0] += 1
            own.held[1] = max(own.held)
        weakref.finalize(found[0], self._freed)
        return found

    def _freed(self) -> None:
        own: Any = self
        with own.lock:
            own.held[0] -= 1

    def image(self, path: Path) -> tuple[Any, Any]:
        return self._counted(super().image(path))

    def label(self, path: Path) -> tuple[Any, Any]:
        return self._counted(super().label(path))


def damaged(root: Path) -> SegDataModule:
    truncate(root / SCAN)
    edit(root / "labelsTr/hippocampus_004.nii.gz", with_value(9))
    place(root / "labelsTr/hippocampus_005.nii.gz", shifted(2, 0, 0))
    edit(root / "labelsTr/hippocampus_001.nii.gz", np.zeros_like)
    copy_case(root, 3, 6)
    return build_datamodule("hippocampus", "tiny", root=str(root))


def test_threads_change_neither_findings_nor_order(tmp_path: Path) -> None:
    data = damaged(make_hippocampus(tmp_path, 12))
    alone = inspect(data, workers=1)
    assert len(alone.findings) == 5
    for seed in range(3):
        data.__dict__["reader"] = SlowReader(seed)
        assert inspect(data, workers=5) == alone


@pytest.mark.parametrize("workers", [1, 3])
def test_each_thread_holds_one_array(tmp_path: Path, workers: int) -> None:
    data = build_datamodule("hippocampus", "tiny", root=str(make_hippocampus(tmp_path, 20)))
    reader: Any = SlowReader(0)
    data.__dict__["reader"] = reader
    assert inspect(data, workers=workers).findings == ()
    assert 1 <= reader.held[1] <= workers


def test_after_an_interruption_no_more_files_are_read(tmp_path: Path) -> None:
    data = build_datamodule("hippocampus", "tiny", root=str(make_hippocampus(tmp_path, 40)))
    reader: Any = SlowReader(0)
    read: list[Path] = []

    def counted(found: tuple[Any, Any]) -> tuple[Any, Any]:
        read.append(found[1].source)
        time.sleep(0.002)
        return found

    reader.__dict__["_counted"] = counted
    data.__dict__["reader"] = reader

    def interrupted(cases: Any) -> Iterator[Any]:
        yield next(iter(cases))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspect(data, interrupted, workers=2)
    assert len(read) < 40  # of 80 files


REAL = {
    *("covid_1795", "covid_2041", "sub-s10147_ses-e23761_run-1_bp-chest_vp-ap_cr"),
    *("sub-s10414_ses-e18067_acq-1_run-1_bp-chest_cr", "sub-s10724_ses-e18593_run-1_bp-chest_dx"),
    *("sub-s11659_ses-e24857_run-1_bp-chest_vp-ap_dx", "sub-s11659_ses-e24958_run-1_bp-chest_vp-pa_dx"),
    *("sub-s11662_ses-e24213_run-1_bp-chest_vp-ap_cr", "sub-s11991_ses-e25657_run-1_bp-chest_vp-pa_dx"),
    "sub-s12001_ses-e25095_run-1_bp-chest_vp-pa_cr",
}
"""Captions of QaTa-COV19 with the side of the patient, or with two sides for a mask on one side; all were checked."""


@pytest.mark.realdata
def test_the_real_hippocampi_have_no_findings(real_data: Path) -> None:
    report = inspect_replica("hippocampus", real_data / "Task04_Hippocampus")
    assert report.findings == ()
    assert (report.cases, report.files) == (100, 200)


@pytest.mark.realdata
def test_the_real_chests_have_ten_wrong_captions_and_one_duplicate(real_data: Path) -> None:
    report = inspect_replica("qata_cov19", real_data / "QaTa-COV19-v2")
    assert report.findings == ()  # findings of the published data set are on its card
    assert {finding.case_id for finding in report.known if finding.kind == "side_contradiction"} == REAL
    (twice,) = (finding for finding in report.known if finding.kind == "near_duplicate")
    assert twice.case_id == "covid_2121"  # the figure "At admission" of a paper, cropped twice
    assert "covid_1198" in twice.problem
    assert report.files == 2018
