"""Sides, looks and findings, each alone."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from datamodules.verify import Finding, index_findings
from datamodules.verify.duplicates import Look, duplicate_findings, look_at
from datamodules.verify.laterality_check import contradiction
from zoo.errors import DataError
from zoo.types import Case

IMAGE: dict[str, Any] = {"spatial_dims": 2, "laterality": "image", "track": "mask-derived"}


def mask(left: int, right: int, width: int = 20) -> np.ndarray:
    """[10, width] with so many pixels on the left and on the right."""
    flat = np.zeros((10, width), bool)
    flat[:, 0].flat[:left] = True
    flat[:, -1].flat[:right] = True
    return flat


@pytest.mark.parametrize(
    ("report", "left", "right", "wrong"),
    [
        ("Lower left lung.", 10, 0, False),
        ("Lower left lung.", 0, 10, True),
        ("Lower right lung.", 10, 0, True),
        ("LEFT-sided opacity", 0, 10, True),
        ("Lower left lung.", 2, 8, False),  # lenient: some of it is there
        ("Left and right lung.", 0, 10, False),  # both are named: which is meant is not known
        ("Bilateral, left and right lung.", 0, 10, True),
        ("Bilateral, left and right lung.", 1, 9, False),
        ("Bilateral infection.", 10, 0, True),
        ("A spot in the cleft, upright.", 0, 10, False),
        ("No side.", 0, 10, False),
        ("Left lung.", 0, 0, False),
    ],
)
def test_sides(report: str, left: int, right: int, wrong: bool) -> None:
    assert bool(contradiction(report, mask(left, right), IMAGE)) is wrong
    swapped = {**IMAGE, "laterality": "patient"}
    assert bool(contradiction(report, mask(right, left), swapped)) is wrong
    assert contradiction(report, mask(left, right), {**IMAGE, "laterality": None}) == ""


def test_a_middle_column_is_on_neither_side() -> None:
    middle = np.zeros((4, 5), bool)
    middle[:, 2] = True
    assert contradiction("Left lung.", middle, IMAGE) == ""
    assert contradiction("Bilateral.", middle, IMAGE) == ""


def test_the_left_of_a_volume_is_the_patients() -> None:
    """RAS: the first axis runs to the right, so the patient's left comes first."""
    about = {"spatial_dims": 3, "laterality": "patient", "track": "mask-derived"}
    volume = np.zeros((8, 4, 4), bool)
    volume[:2] = True
    assert contradiction("Right kidney.", volume, about)
    assert contradiction("Left kidney.", volume, about) == ""
    assert contradiction("Right kidney.", volume, {**about, "track": "report"}) == ""  # it may speak of other things
    assert contradiction("Right kidney.", volume, {**about, "laterality": "image"}) == ""


def picture(seed: int, size: int = 224) -> np.ndarray:
    """Smooth structures of several sizes on a common bright outline, as X-rays have it."""
    rng = np.random.default_rng(seed)
    own = sum(gaussian_filter(rng.normal(size=(size, size)), width) * width for width in (4, 10, 25))
    rows, columns = np.indices((size, size)) / size - 0.5
    body = 6.0 * (rows**2 + columns**2 < 0.2)
    gray = np.asarray(own + body)
    return np.asarray(np.clip((gray - gray.min()) / np.ptp(gray) * 255, 0, 255), dtype=np.uint8)


def look(case: str, array: np.ndarray, subject: str = "") -> Look:
    image = array[None].astype(np.float32)
    return look_at(Case(case, (Path(f"{case}.png"),), None, subject or case), image)


def as_jpeg(array: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))


RESAVED = {
    "recompressed": as_jpeg,
    "resized": lambda array: np.asarray(Image.fromarray(array).resize((150, 150))),
    "darker": lambda array: array * 0.6 + 20,
    "gamma": lambda array: 255 * (array / 255) ** 1.3,
    "noisy": lambda array: array + np.random.default_rng(1).normal(0, 4, array.shape),
    "trimmed": lambda array: array[2:-2, 2:-2],
}


@pytest.mark.parametrize("how", RESAVED)
def test_another_export_of_an_image_is_found_among_others(how: str) -> None:
    others = [look(f"other{seed}", picture(seed)) for seed in range(1, 40)]
    looks = [look("first", picture(0)), *others, look("again", RESAVED[how](picture(0)))]
    (finding,) = duplicate_findings(looks, {"first": "train", "again": "test"})
    assert (finding.case_id, finding.kind) == ("again", "near_duplicate_across_parts")
    assert "first.png in train" in finding.problem
    looks[-1] = looks[-1]._replace(subject="first")
    assert duplicate_findings(looks, {}) == []


def test_the_same_values_are_found_whoever_they_are_of() -> None:
    looks = [look("a", picture(0), "one"), look("b", picture(0), "one"), look("c", picture(0), "two")]
    found = duplicate_findings(looks, {"a": "train", "b": "train", "c": "val"})
    assert [(f.case_id, f.kind) for f in found] == [("b", "duplicate"), ("c", "duplicate_across_parts")]
    assert duplicate_findings([look("a", picture(0)), look("b", picture(0)[:, :-1])], {}) != []
    flat = [look(str(gray), np.full((20, 20), gray)) for gray in (0, 9)]
    assert duplicate_findings(flat, {}) == []  # constant images look like nothing


def test_a_case_of_several_files_is_the_same_where_all_are() -> None:
    first, second = look("a", picture(0)), look("a", picture(1))
    other = look("b", picture(0))._replace(subject="a")
    assert duplicate_findings([first.joined([second]), other.joined([look("b", picture(2))])], {}) == []
    (finding,) = duplicate_findings([first.joined([second]), other.joined([look("b", picture(1))])], {})
    assert finding.kind == "duplicate"


def test_an_error_keeps_its_parts_between_processes() -> None:
    error = pickle.loads(pickle.dumps(DataError("a.png: no such file.", "Fetch it.", "missing_file")))  # noqa: S301
    assert str(error) == "a.png: no such file. Fetch it."
    assert Finding.of(error, "a") == Finding("a", "a.png", "missing_file", "a.png: no such file.", "Fetch it.")


def test_a_generated_case_has_no_file_to_miss() -> None:
    assert index_findings([Case("train-0", (), None, "0", "A report.")], reports=True) == []
    assert [f.kind for f in index_findings([Case("train-0", (), None, "0", " ")], reports=True)] == ["caption_empty"]
