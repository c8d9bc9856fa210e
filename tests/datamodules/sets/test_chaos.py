"""CHAOS: slices and masks are in the place of their headers and names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nibabel.orientations import inv_ornt_aff, io_orientation

from datamodules.build import build_datamodule
from datamodules.index.splits import SPLITS
from datamodules.verify import verify
from tests.helpers.volume_sets import make_chaos
from zoo.errors import DataError


@pytest.mark.parametrize(("name", "series"), [("chaos", "t2spir"), ("chaos_t1dual", "t1dual"), ("chaos_ct", "ct")])
def test_chaos_slices_are_where_their_headers_say(tmp_path: Path, name: str, series: str) -> None:
    import SimpleITK as sitk  # noqa: N813

    data = build_datamodule(name, root=str(make_chaos(tmp_path, series)))
    assert [len(data.split.ids_of(part)) for part in SPLITS] == [3, 1, 1]
    case = next(iter(data.cases.values()))
    image, geometry = data.reader.image(case.images[0])
    assert case.label is not None
    label, _ = data.reader.label(case.label)
    assert image[0][label > 0].min() > image[0].min() + 950  # 80 and no body's 40: each mask is on its own slice
    affine = np.array(geometry.affine)
    to_ras = affine @ inv_ornt_aff(io_orientation(affine), geometry.shape)
    place = np.unravel_index(image[0].argmax(), image[0].shape)
    ours = (to_ras @ [*place, 1])[:3]
    for file in data.reader.files(case.images[0]):  # each slice read alone, by the library, in LPS
        alone = sitk.ReadImage(str(file))
        pixels = sitk.GetArrayFromImage(alone)[0]
        row, column = np.unravel_index(pixels.argmax(), pixels.shape)
        point = np.array(alone.TransformIndexToPhysicalPoint((int(column), int(row), 0))) * [-1, -1, 1]
        assert pixels.max() < image.max() or np.allclose(point, ours)


def test_chaos_gray_ranges_and_faults_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    root = make_chaos(tmp_path)
    data = build_datamodule("chaos", root=str(root))
    case = data.index.case("mr_1")
    first = data.prepared(case).label
    mask = sorted((root / "MR/1/T2SPIR/Ground").glob("*.png"))[2]
    pixels = np.asarray(Image.open(mask)).copy()
    pixels[0, 0] = 60  # liver lies between 55 and 70
    Image.fromarray(pixels).save(mask)
    changed = build_datamodule("chaos", root=str(root)).prepared(case).label  # every slice is in the cache's key
    assert first is not None
    assert changed is not None
    assert (np.asarray(changed) != np.asarray(first)).sum() == 1
    pixels[0, 0] = 80
    Image.fromarray(pixels).save(mask)
    assert "unexpected label values [80]" in verify(data)[0].problem
    mask.unlink()
    assert "5 masks for the 6 slices" in verify(data)[0].problem
    monkeypatch.setitem(__import__("sys").modules, "SimpleITK", None)
    with pytest.raises(DataError, match=r"\[dicom\]"):
        data.load(case)
    with pytest.raises(DataError, match="no Train_Sets/CT"):
        build_datamodule("chaos_ct", root=str(root)).list_cases()
