"""The generator of the abdomen phantom."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest

from datamodules.phantoms.abdomen import EXTENT, ORGANS, AbdomenCase, draw_abdomen, voxel_spacing

VALUE = {name: value for value, name in enumerate(ORGANS, start=1)}


@pytest.fixture(scope="module")
def cases() -> list[AbdomenCase]:
    return [draw_abdomen(0, "train", index) for index in range(40)]


def middle(case: AbdomenCase, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """Mean position of an organ in mm, from the affine of the case; None where the organ is absent."""
    voxels = np.argwhere(case.label == VALUE[name])
    if not len(voxels):
        return None
    position: np.ndarray[tuple[int], np.dtype[np.float64]] = case.affine[:3, :3] @ voxels.mean(axis=0)
    return position + case.affine[:3, 3]


def test_same_voxels_in_another_process_with_other_thread_counts() -> None:
    code = (
        "import sys; from hashlib import sha256; from datamodules.phantoms.abdomen import draw_abdomen;"
        "c = draw_abdomen(3, 'val', 7); sys.stdout.write(sha256(c.image.tobytes() + c.label.tobytes()).hexdigest())"
    )
    env = os.environ | {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3", "PYTHONHASHSEED": "5"}
    other = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    case = draw_abdomen(3, "val", 7)
    assert other.stdout == sha256(case.image.tobytes() + case.label.tobytes()).hexdigest()


def test_a_case_has_its_shape_types_and_affine(cases: list[AbdomenCase]) -> None:
    case = cases[0]
    assert case.image.shape == case.label.shape == (48, 48, 24)
    assert (case.image.dtype.name, case.label.dtype.name) == ("float32", "uint8")
    assert voxel_spacing((96, 96, 48)) == (1.0, 1.0, 2.5)
    np.testing.assert_array_equal(np.diag(case.affine), [2, 2, 5, 1])
    first, last = case.affine @ [0, 0, 0, 1], case.affine @ [47, 47, 23, 1]
    np.testing.assert_allclose(first[:3], -last[:3])  # the box is centred on the origin
    np.testing.assert_allclose((last - first)[:3] + voxel_spacing((48, 48, 24)), EXTENT)


def test_intensities_are_those_of_a_ct(cases: list[AbdomenCase]) -> None:
    for case in cases[:5]:
        assert case.image.min() >= -1024
        assert case.image[0, 0].mean() == pytest.approx(-1000, abs=20)
        np.testing.assert_array_equal(case.image, np.rint(case.image))
        for name in ("liver", "spleen", "stomach"):
            inside = case.image[case.label == VALUE[name]]
            if len(inside):
                assert np.median(inside) == pytest.approx(ORGANS[name].hounsfield, abs=25)


def test_organs_are_on_their_side_of_the_patient(cases: list[AbdomenCase]) -> None:
    """In RAS order, the axes point to the right of the patient, to the front and to the head."""
    sides = {"liver": 1, "gallbladder": 1, "right_kidney": 1, "left_kidney": -1, "spleen": -1, "stomach": -1}
    for case in cases:
        for name, sign in sides.items():
            position = middle(case, name)
            assert position is None or sign * position[0] > 0
        kidney, liver = middle(case, "right_kidney"), middle(case, "liver")
        assert liver is not None
        assert kidney is None or (kidney[2] < liver[2] and kidney[1] < liver[1])


def test_organs_may_be_absent_and_differ_in_size(cases: list[AbdomenCase]) -> None:
    voxels = np.array([np.bincount(case.label.ravel(), minlength=len(ORGANS) + 1)[1:] for case in cases])
    for organ, column in zip(ORGANS.values(), voxels.T, strict=True):
        assert (column > 0).any()
        assert (column == 0).any() == (organ.absent > 0)
        assert column[column > 0].min() >= 20
    means = np.ma.masked_equal(voxels, 0).mean(axis=0)
    assert len(ORGANS) >= 6
    assert means.max() > 20 * means.min()


def test_a_case_is_the_same_body_at_every_shape() -> None:
    small, large = draw_abdomen(0, "test", 2), draw_abdomen(0, "test", 2, (96, 96, 48))
    np.testing.assert_array_equal(np.unique(small.label), np.unique(large.label))
    for name in ORGANS:
        one, other = middle(small, name), middle(large, name)
        if one is not None and other is not None:
            np.testing.assert_allclose(one, other, atol=2.5)
