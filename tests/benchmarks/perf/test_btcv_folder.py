"""The script that fills a folder with synthetic CTs in the layout of BTCV."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from benchmarks.perf.btcv_folder import fill_folder
from datamodules.build import build_datamodule


def test_the_folder_is_read_as_btcv_with_its_published_split(tmp_path: Path) -> None:
    fill_folder(tmp_path, pixels=24, slices=(6, 8))
    data = build_datamodule("btcv", "tiny", root=str(tmp_path))
    assert [len(data.split.ids_of(split)) for split in ("train", "val", "test")] == [20, 4, 6]
    shapes = {nib.load(path).shape for path in (tmp_path / "RawData" / "Training" / "img").iterdir()}
    assert {shape[:2] for shape in shapes} == {(24, 24)}
    assert {shape[2] for shape in shapes} <= {6, 7, 8}
    kept = tmp_path / "RawData" / "Training" / "label" / "label0001.nii.gz"
    assert np.asarray(nib.load(kept).dataobj).max() <= 13
    before = kept.stat().st_mtime_ns
    fill_folder(tmp_path, cases=1, pixels=30)
    assert kept.stat().st_mtime_ns == before, "existing files are kept"
