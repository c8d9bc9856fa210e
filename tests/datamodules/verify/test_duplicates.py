"""Duplicate images: equal ones, and near duplicates of two subjects."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from datamodules.verify.duplicates import ImageSignature, compute_signature, report_duplicates
from zoo.types import Case


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
