"""Sides of captions, duplicate images, and findings."""

from __future__ import annotations

import io
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from datamodules.verify import Finding, index_findings
from datamodules.verify.duplicates import ImageSignature, compute_signature, report_duplicates
from datamodules.verify.laterality_check import find_contradiction
from tests.helpers.data_cards import data_card
from zoo.errors import DataError
from zoo.types import Case

IMAGE = data_card(laterality="image", track="mask-derived")


def mask(left: int, right: int, width: int = 20) -> np.ndarray:
    """[10, width] with `left` pixels on the left side and `right` pixels on the right side."""
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
        ("Lower left lung.", 2, 8, False),  # accepted: a part of the mask is there
        ("Left and right lung.", 0, 10, False),  # both sides are named: which one is meant is not known
        ("Bilateral, left and right lung.", 0, 10, True),
        ("Bilateral, left and right lung.", 1, 9, False),
        ("Bilateral infection.", 10, 0, True),
        ("A spot in the cleft, upright.", 0, 10, False),
        ("No side.", 0, 10, False),
        ("Left lung.", 0, 0, False),
    ],
)
def test_a_caption_that_names_the_wrong_side_is_found(report: str, left: int, right: int, wrong: bool) -> None:
    assert bool(find_contradiction(report, mask(left, right), IMAGE)) is wrong
    swapped = replace(IMAGE, laterality="patient")
    assert bool(find_contradiction(report, mask(right, left), swapped)) is wrong
    assert find_contradiction(report, mask(left, right), replace(IMAGE, laterality="")) == ""


def test_a_middle_column_is_on_neither_side() -> None:
    middle = np.zeros((4, 5), bool)
    middle[:, 2] = True
    assert find_contradiction("Left lung.", middle, IMAGE) == ""
    assert find_contradiction("Bilateral.", middle, IMAGE) == ""


def test_in_a_volume_left_is_the_left_of_the_patient() -> None:
    """In RAS order the first axis points to the right, so that the left of the patient comes first."""
    card = data_card(spatial_dims=3, laterality="patient", track="mask-derived")
    volume = np.zeros((8, 4, 4), bool)
    volume[:2] = True
    assert find_contradiction("Right kidney.", volume, card)
    assert find_contradiction("Left kidney.", volume, card) == ""
    assert (
        find_contradiction("Right kidney.", volume, replace(card, track="report")) == ""
    )  # such a report may describe other findings
    assert find_contradiction("Right kidney.", volume, replace(card, laterality="image")) == ""


def picture(seed: int, size: int = 224) -> np.ndarray:
    """Smooth structures of several sizes on a common bright outline, as in X-rays."""
    rng = np.random.default_rng(seed)
    own = sum(gaussian_filter(rng.normal(size=(size, size)), width) * width for width in (4, 10, 25))
    rows, columns = np.indices((size, size)) / size - 0.5
    body = 6.0 * (rows**2 + columns**2 < 0.2)
    gray = np.asarray(own + body)
    return np.asarray(np.clip((gray - gray.min()) / np.ptp(gray) * 255, 0, 255), dtype=np.uint8)


def signature(case: str, array: np.ndarray, subject: str = "") -> ImageSignature:
    image = array[None].astype(np.float32)
    return compute_signature(Case(case, (Path(f"{case}.png"),), None, subject or case), image)


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
def test_another_export_of_an_image_is_found_among_other_images(how: str) -> None:
    others = [signature(f"other{seed}", picture(seed)) for seed in range(1, 40)]
    signatures = [signature("first", picture(0)), *others, signature("again", RESAVED[how](picture(0)))]
    (finding,) = report_duplicates(signatures, {"first": "train", "again": "test"})
    assert (finding.case_id, finding.kind) == ("again", "near_duplicate_across_parts")
    assert "first.png in train" in finding.problem
    signatures[-1] = signatures[-1]._replace(subject="first")
    assert report_duplicates(signatures, {}) == []


def test_equal_images_are_found_within_and_between_subjects() -> None:
    signatures = [
        signature("a", picture(0), "one"),
        signature("b", picture(0), "one"),
        signature("c", picture(0), "two"),
    ]
    found = report_duplicates(signatures, {"a": "train", "b": "train", "c": "val"})
    assert [(f.case_id, f.kind) for f in found] == [("b", "duplicate"), ("c", "duplicate_across_parts")]
    assert report_duplicates([signature("a", picture(0)), signature("b", picture(0)[:, :-1])], {}) != []
    flat = [signature(str(gray), np.full((20, 20), gray)) for gray in (0, 9)]
    assert report_duplicates(flat, {}) == []  # constant images are not compared


def test_a_case_with_several_files_is_a_duplicate_if_all_files_are() -> None:
    first, second = signature("a", picture(0)), signature("a", picture(1))
    other = signature("b", picture(0))._replace(subject="a")
    assert report_duplicates([first.join([second]), other.join([signature("b", picture(2))])], {}) == []
    (finding,) = report_duplicates([first.join([second]), other.join([signature("b", picture(1))])], {})
    assert finding.kind == "duplicate"


def test_an_error_keeps_its_attributes_between_processes() -> None:
    error = pickle.loads(pickle.dumps(DataError("a.png: no such file.", "Download it.", "missing_file")))  # noqa: S301
    assert str(error) == "a.png: no such file. Download it."
    assert Finding.of(error, "a") == Finding("a", "a.png", "missing_file", "a.png: no such file.", "Download it.")


def test_a_generated_case_lacks_no_file() -> None:
    assert index_findings([Case("train-0", (), None, "0", "A report.")], reports=True) == []
    assert [f.kind for f in index_findings([Case("train-0", (), None, "0", " ")], reports=True)] == ["caption_empty"]
