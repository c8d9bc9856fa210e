"""Faults injected into clean replicas: `zoo data verify` finds each, names the file and the kind, and nothing else."""

from __future__ import annotations

import gzip
import random
import shutil
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from datamodules.base import SegDataModule
from datamodules.build import build_data
from datamodules.readers import Reader
from datamodules.verify import KINDS, Report, inspect
from tests.datamodules.fixtures import REPLICAS, make_hippocampus, write_nifti, write_png
from tests.datamodules.fixtures_slices import make_own_pictures
from zoo.errors import FAULTS

Array = NDArray[Any]
BRAIN = "labelsTr/hippocampus_002.nii.gz"
SCAN = "imagesTr/hippocampus_002.nii.gz"
CHEST, MASK = "Train/Images/sub-s00002_ses-e2_cr.png", "Train/GTs/mask_sub-s00002_ses-e2_cr.png"
TABLE = "prompt/train.csv"


class Injected(NamedTuple):
    """A fault: the set, how a clean replica is damaged, and what is to be found, once."""

    data: str
    damage: Callable[[Path], object]
    kind: str
    file: str
    words: str = ""
    options: dict[str, Any] = {}  # noqa: RUF012 - read only


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_byte(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(bytes(content))


def flip_png_checksum(path: Path) -> None:
    """Of the pixels: the four bytes before the last chunk, which is 12 bytes long."""
    flip_byte(path, -14)


def edit(path: Path, change: Callable[[Array], Array], affine: Array | None = None) -> None:
    image = nib.load(path)
    write_nifti(path, change(np.asarray(image.dataobj)), image.affine if affine is None else affine)


def place(path: Path, affine: Array) -> None:
    """The same voxels elsewhere."""
    edit(path, lambda array: array, affine)


def shifted(*by: float) -> Array:
    affine = np.eye(4)
    affine[:3, 3] = by
    return affine


def turned(degrees: float) -> Array:
    angle, affine = np.radians(degrees), np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return affine


def no_affine(path: Path) -> None:
    """A header whose first row of the sform is zero."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[280:296] = bytes(16)
    path.write_bytes(gzip.compress(bytes(content)))


def with_value(value: float) -> Callable[[Array], Array]:
    def change(array: Array) -> Array:
        array = array.astype(np.float32)
        array[3, 3, 3] = value
        return array

    return change


def copy_case(root: Path, source: int, target: int, change: Callable[[Array], Array] = lambda array: array) -> None:
    """Case `target` becomes a copy of `source`, whose image is changed."""
    for folder in ("imagesTr", "labelsTr"):
        paths = [root / folder / f"hippocampus_{number:03d}.nii.gz" for number in (source, target)]
        shutil.copy(*paths)
        if folder == "imagesTr":
            edit(paths[1], change)


def part_of(root: Path, part: str, place: int = 0) -> int:
    return int(build_data("hippocampus", "tiny", root=str(root)).split.part(part)[place].rpartition("_")[2])


def copy_within_train(root: Path, change: Callable[[Array], Array] = lambda array: array) -> None:
    first, second = sorted(part_of(root, "train", index) for index in (0, 1))
    copy_case(root, first, second, change)


def louder(array: Array) -> Array:
    """Another export of the same image: scaled, shifted, a little noise."""
    noise = np.random.default_rng(0).normal(0, 0.01 * array.std(), array.shape)
    return (3 * array + 7 + noise).astype(np.float32)


def rows(root: Path, change: Callable[[list[str]], list[str]]) -> None:
    table = root / TABLE
    table.write_text("\n".join(change(table.read_text().splitlines())) + "\n")


def say(root: Path, text: str) -> None:
    """The caption of `CHEST`."""
    rows(root, lambda lines: [f'{Path(MASK).name},"{text}"' if Path(MASK).name in line else line for line in lines])


def opposite(root: Path) -> str:
    mask = np.asarray(Image.open(root / MASK)) > 0
    return "right" if mask[:, : mask.shape[1] // 2].sum() > mask.sum() / 2 else "left"


def copy_picture(root: Path, source: str, target: str, change: Callable[[Array], Array] = lambda a: a) -> None:
    """An image with its mask; the captions stay, without their sides."""
    for part in ("train", "test"):
        table = root / "prompt" / f"{part}.csv"
        table.write_text(table.read_text().replace("left ", "").replace("right ", ""))
    write_png(root / target, change(np.asarray(Image.open(root / source))))
    masks = [Path(name).parents[1] / "GTs" / f"mask_{Path(name).name}" for name in (source, target)]
    shutil.copy(root / masks[0], root / masks[1])


def brighter(array: Array) -> Array:
    noise = np.random.default_rng(0).normal(0, 1, array.shape)
    return np.clip(array * 0.9 + 12 + noise, 0, 255).astype(np.uint8)


def move_subject(root: Path) -> None:
    """The last test image becomes one of subject 2, who is in train."""
    for folder in ("Images", "GTs"):
        for path in (root / "Test" / folder).glob("*s00014*"):
            path.rename(path.with_name(path.name.replace("s00014", "s00002")))
    table = root / "prompt" / "test.csv"
    table.write_text(table.read_text().replace("s00014", "s00002"))


def double_row(root: Path) -> None:
    table = root / "cases.csv"
    lines = table.read_text(encoding="utf-8-sig").splitlines()
    table.write_text("\n".join([*lines, lines[1]]) + "\n")


def stray_value(root: Path) -> None:
    def change(array: Array) -> Array:
        array = np.array(array)
        array[np.where(array == 420)[0][0], np.where(array == 420)[1][0], np.where(array == 420)[2][0]] = 421
        return array

    edit(root / "mr_train" / "mr_train_1002_label.nii.gz", change)


TEST_CHEST, TRAIN_CHEST = "Test/Images/sub-s00012_ses-e12_cr.png", "Train/Images/sub-s00005_ses-e5_cr.png"
T2F = "BraTS-GLI-00002-000-t2f.nii.gz"

INJECTED: dict[str, Injected] = {
    # volumes
    "truncated image": Injected("hippocampus", lambda r: truncate(r / SCAN), "unreadable", SCAN, "truncated"),
    "truncated label": Injected("hippocampus", lambda r: truncate(r / BRAIN), "unreadable", BRAIN),
    "gzip checksum": Injected("hippocampus", lambda r: flip_byte(r / SCAN, -6), "unreadable", SCAN, "CRC"),
    "gzip checksum of a label": Injected("hippocampus", lambda r: flip_byte(r / BRAIN, -6), "unreadable", BRAIN),
    "no NIfTI": Injected("hippocampus", lambda r: (r / SCAN).write_bytes(b"not an image"), "unreadable", SCAN),
    "image missing": Injected("hippocampus", lambda r: (r / SCAN).unlink(), "missing_file", SCAN),
    "label missing": Injected("hippocampus", lambda r: (r / BRAIN).unlink(), "missing_file", BRAIN),
    "NaN": Injected("hippocampus", lambda r: edit(r / SCAN, with_value(np.nan)), "not_finite", SCAN),
    "infinite": Injected("hippocampus", lambda r: edit(r / SCAN, with_value(np.inf)), "not_finite", SCAN),
    "shapes": Injected("hippocampus", lambda r: edit(r / BRAIN, lambda a: a[1:]), "shape_mismatch", BRAIN),
    "origin": Injected(
        "hippocampus", lambda r: place(r / BRAIN, shifted(0, 3, 0)), "affine_mismatch", BRAIN, "origin is 3 mm"
    ),
    "spacing": Injected(
        "hippocampus",
        lambda r: place(r / BRAIN, np.diag([1, 1, 1.1, 1])),
        "affine_mismatch",
        BRAIN,
        "spacing is 1 x 1 x 1.1",
    ),
    "direction": Injected(
        "hippocampus", lambda r: place(r / BRAIN, turned(4)), "affine_mismatch", BRAIN, "direction of an axis is 4 deg"
    ),
    "flipped": Injected(
        "hippocampus", lambda r: place(r / BRAIN, np.diag([-1, 1, 1, 1])), "affine_mismatch", BRAIN, "180 degrees"
    ),
    "axes exchanged": Injected(
        "hippocampus", lambda r: place(r / BRAIN, np.eye(4)[[1, 0, 2, 3]]), "affine_mismatch", BRAIN, "90 degrees"
    ),
    "no affine": Injected("hippocampus", lambda r: no_affine(r / SCAN), "affine_unusable", SCAN),
    "fourth axis": Injected(
        "hippocampus", lambda r: edit(r / SCAN, lambda a: np.stack([a, a], -1)), "dimensions", SCAN, "4-D"
    ),
    "strange value": Injected("hippocampus", lambda r: edit(r / BRAIN, with_value(9)), "label_values", BRAIN, "[9]"),
    "halves": Injected("hippocampus", lambda r: edit(r / BRAIN, with_value(0.5)), "label_not_whole", BRAIN),
    "empty label": Injected("hippocampus", lambda r: edit(r / BRAIN, np.zeros_like), "empty_mask", BRAIN),
    "constant volume": Injected("hippocampus", lambda r: edit(r / SCAN, np.ones_like), "constant_image", SCAN),
    "copied case": Injected("hippocampus", copy_within_train, "duplicate", "imagesTr"),
    "copied case, other scale": Injected(
        "hippocampus", lambda r: copy_within_train(r, louder), "near_duplicate", "imagesTr"
    ),
    "too few cases": Injected(
        "hippocampus",
        lambda r: shutil.copy(make_hippocampus(r.parent / "two", 2) / "dataset.json", r),
        "split",
        "Task04",
    ),
    "channel moved": Injected(
        "brats", lambda r: place(next(r.rglob(T2F)), shifted(1, 0, 0) @ np.diag([-1, 1, 1, 1])), "affine_mismatch", T2F
    ),
    "constant channel": Injected("brats", lambda r: edit(next(r.rglob(T2F)), np.zeros_like), "constant_image", T2F),
    "channel missing": Injected("brats", lambda r: next(r.rglob(T2F)).unlink(), "missing_file", T2F),
    "stray 421": Injected("mmwhs_mr", stray_value, "label_values", "mr_train_1002_label", "[421]"),
    "mask of a slice missing": Injected(
        "chaos",
        lambda r: sorted((r / "MR/3/T2SPIR/Ground").iterdir())[2].unlink(),
        "incomplete_series",
        "MR/3",
        "5 masks",
    ),
    # pictures and captions
    "truncated picture": Injected("qata_cov19", lambda r: truncate(r / CHEST), "unreadable", CHEST),
    "PNG checksum": Injected("qata_cov19", lambda r: flip_png_checksum(r / CHEST), "unreadable", CHEST, "checksum"),
    "picture missing": Injected("qata_cov19", lambda r: (r / CHEST).unlink(), "missing_file", CHEST),
    "mask missing": Injected("qata_cov19", lambda r: (r / MASK).unlink(), "missing_file", MASK),
    "mask of another size": Injected(
        "qata_cov19",
        lambda r: Image.open(r / MASK).resize((40, 32), Image.Resampling.NEAREST).save(r / MASK),
        "shape_mismatch",
        MASK,
    ),
    "gray mask": Injected(
        "qata_cov19", lambda r: write_png(r / MASK, np.full((32, 32), 7, np.uint8)), "label_values", MASK, "[7]"
    ),
    "empty mask": Injected(
        "qata_cov19", lambda r: write_png(r / MASK, np.zeros((32, 32), np.uint8)), "empty_mask", MASK
    ),
    "black picture": Injected(
        "qata_cov19", lambda r: write_png(r / CHEST, np.zeros((32, 32), np.uint8)), "constant_image", CHEST
    ),
    "colour": Injected("image_text_folder", lambda r: None, "dimensions", "p0.jpg", "colour", {"channels": 1}),
    "caption missing": Injected(
        "qata_cov19", lambda r: rows(r, lambda lines: [x for x in lines if "s00002" not in x]), "caption_missing", CHEST
    ),
    "caption empty": Injected("qata_cov19", lambda r: say(r, "  "), "caption_empty", CHEST),
    "caption doubled": Injected(
        "qata_cov19", lambda r: rows(r, lambda lines: [*lines, lines[1]]), "caption_doubled", TABLE, "comes twice"
    ),
    "caption of nothing": Injected(
        "qata_cov19",
        lambda r: rows(r, lambda lines: [*lines, "mask_gone.png,Text."]),
        "caption_without_image",
        "gone.png",
    ),
    "caption of a picture of another part": Injected(
        "qata_cov19",
        lambda r: rows(r, lambda lines: [*lines, f"mask_{Path(TEST_CHEST).name},Text."]),
        "caption_without_image",
        f"Train/Images/{Path(TEST_CHEST).name}",
    ),
    "no table": Injected("qata_cov19", lambda r: (r / TABLE).write_bytes(b"\xff\xfe\x00bad"), "caption_table", TABLE),
    "table without its column": Injected(
        "qata_cov19", lambda r: rows(r, lambda lines: ["Image,Words", *lines[1:]]), "caption_table", TABLE, "lack"
    ),
    "other side": Injected(
        "qata_cov19", lambda r: say(r, f"One infected area, {opposite(r)} lung."), "side_contradiction", CHEST
    ),
    "not bilateral": Injected("qata_cov19", lambda r: say(r, "Bilateral infection."), "side_contradiction", CHEST),
    "picture of test in train": Injected(
        "qata_cov19",
        lambda r: copy_picture(r, TRAIN_CHEST, TEST_CHEST),
        "duplicate_across_parts",
        TEST_CHEST,
        "in test, the same image as",
    ),
    "picture of test in train, brighter": Injected(
        "qata_cov19",
        lambda r: copy_picture(r, TRAIN_CHEST, TEST_CHEST, brighter),
        "near_duplicate_across_parts",
        TEST_CHEST,
    ),
    "subject in two parts": Injected("qata_cov19", move_subject, "subject_leak", "s00002_ses-e14", "sub-s00002"),
    "row twice": Injected("image_text_folder", double_row, "case_twice", "p0.jpg", "2 times"),
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The clean replica of a set, made once."""
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
    """Whatever is found, nothing is prepared or written."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    yield
    assert not (tmp_path / "cache").exists()


def looked_at(name: str, root: Path, workers: int = 2, **options: Any) -> Report:
    return inspect(build_data(name, "tiny", root=str(root), **options), workers=workers)


@pytest.mark.parametrize("fault", INJECTED)
def test_each_fault_is_found_and_nothing_else(fault: str, clean: Callable[[str], Path], tmp_path: Path) -> None:
    injected = INJECTED[fault]
    source = clean(injected.data)
    root = Path(shutil.copytree(source, tmp_path / source.name))
    injected.damage(root)
    found = looked_at(injected.data, root, **injected.options).findings
    assert [finding.kind for finding in found] == [injected.kind] * len(found)
    assert len({finding.kind for finding in found}) == 1
    assert len(found) == (12 if fault == "colour" else 1)  # every picture of that set is in colour
    first = found[0]
    assert injected.file in first.file
    assert injected.words in first.problem
    assert first.problem.startswith(first.file)
    assert "\n" not in first.problem + first.fix


def test_every_kind_is_injected() -> None:
    assert {injected.kind for injected in INJECTED.values()} == set(FAULTS) == set(KINDS)
    assert tuple(KINDS) == FAULTS


def test_clean_replicas_have_nothing_and_are_read_whole(clean: Callable[[str], Path]) -> None:
    for name, files in {"hippocampus": 12, "qata_cov19": 28, "brats": 35, "chaos": 60}.items():
        report = looked_at(name, clean(name))
        assert report.findings == ()
        assert report.files == files


def test_the_known_stray_value_is_mended_by_its_option(clean: Callable[[str], Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean("mmwhs_mr"), tmp_path / "heart"))
    stray_value(root)
    assert looked_at("mmwhs_mr", root, mend_labels=True).findings == ()
    (finding,) = looked_at("mmwhs_mr", root).findings
    assert "mend_labels" in finding.fix


def test_an_unreadable_table_does_not_hide_other_faults(clean: Callable[[str], Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean("qata_cov19"), tmp_path / "qata"))
    (root / TABLE).write_bytes(b"\xff\xfe\x00bad")
    truncate(root / CHEST)
    assert looked_at("qata_cov19", root).kinds == {"unreadable": 1, "caption_table": 1}


def test_reading_leniently_leaves_training_strict(clean: Callable[[str], Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(clean("mosmed_plus"), tmp_path / "mosmed"))
    table = next(root.glob("Train_text*"))
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[1]]) + "\n")
    data = build_data("mosmed_plus", "tiny", root=str(root))
    assert inspect(data, workers=1).kinds == {"caption_doubled": 1}
    with pytest.raises(Exception, match="comes twice"):
        data.setup("fit")


def test_a_set_may_have_empty_masks(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    write_png(root / "masks" / "p3.png", np.zeros((48, 40), np.uint8))
    assert looked_at("image_text_folder", root).kinds == {"empty_mask": 1}
    with (root / "dataset.yaml").open("a") as facts:
        facts.write("empty_masks: true\n")
    assert looked_at("image_text_folder", root).findings == ()


def test_whose_left_is_left_stands_on_the_card(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    facts = root / "dataset.yaml"
    facts.write_text(facts.read_text().replace("laterality: image", "laterality: patient"))
    assert looked_at("image_text_folder", root).kinds == {"side_contradiction": 12}
    facts.write_text(facts.read_text().replace("laterality: patient\n", ""))
    assert looked_at("image_text_folder", root).findings == ()


def test_two_visits_of_one_subject_may_look_alike(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)  # pictures 0 and 1 are of one person
    write_png(root / "pictures" / "p1.png", brighter(np.asarray(Image.open(root / "pictures" / "p0.jpg"))))
    table = root / "cases.csv"
    table.write_text(table.read_text("utf-8-sig").replace("p1.jpg", "p1.png"), encoding="utf-8")
    facts = root / "dataset.yaml"
    facts.write_text(facts.read_text().replace("laterality: image\n", ""))
    assert looked_at("image_text_folder", root).findings == ()
    table.write_text(table.read_text().replace("person 0", "person 9", 1), encoding="utf-8")
    (finding,) = looked_at("image_text_folder", root).findings
    assert finding.kind.startswith("near_duplicate")


class SlowReader(Reader):
    """Reads after a moment, differently long each time, and counts the arrays that are held at once."""

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
    return build_data("hippocampus", "tiny", root=str(root))


def test_threads_change_no_finding_and_no_order(tmp_path: Path) -> None:
    data = damaged(make_hippocampus(tmp_path, 12))
    alone = inspect(data, workers=1)
    assert len(alone.findings) == 5
    for seed in range(3):
        data.__dict__["reader"] = SlowReader(seed)
        assert inspect(data, workers=5) == alone


@pytest.mark.parametrize("workers", [1, 3])
def test_each_thread_holds_one_array(tmp_path: Path, workers: int) -> None:
    data = build_data("hippocampus", "tiny", root=str(make_hippocampus(tmp_path, 20)))
    reader: Any = SlowReader(0)
    data.__dict__["reader"] = reader
    assert inspect(data, workers=workers).findings == ()
    assert 1 <= reader.held[1] <= workers


def test_an_interruption_leaves_the_rest_unread(tmp_path: Path) -> None:
    data = build_data("hippocampus", "tiny", root=str(make_hippocampus(tmp_path, 40)))
    reader: Any = SlowReader(0)
    read: list[Path] = []

    def counted(found: Any) -> Any:
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
"""Captions of QaTa-COV19 that tell the patient's side, or two sides for a mask on one: looked at, each is wrong."""


@pytest.mark.realdata
def test_real_hippocampi_have_nothing(real_data: Path) -> None:
    report = looked_at("hippocampus", real_data / "Task04_Hippocampus")
    assert report.findings == ()
    assert (report.cases, report.files) == (100, 200)


@pytest.mark.realdata
def test_real_chests_have_ten_wrong_captions_and_one_image_twice(real_data: Path) -> None:
    report = looked_at("qata_cov19", real_data / "QaTa-COV19-v2")
    assert report.kinds == {"side_contradiction": 10, "near_duplicate": 1}
    assert {finding.case_id for finding in report.findings if finding.kind == "side_contradiction"} == REAL
    (twice,) = (finding for finding in report.findings if finding.kind == "near_duplicate")
    assert twice.case_id == "covid_2121"  # the same figure of a paper, "At admission", cut out twice
    assert "covid_1198" in twice.problem
    assert report.files == 2018
