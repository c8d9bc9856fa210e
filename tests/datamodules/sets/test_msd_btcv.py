"""Properties of the Decathlon and of BTCV; the contract tests check what all data sets share."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from datamodules.build import build_datamodule
from datamodules.verify import verify
from tests.helpers.all_sets import counts, edit, stored
from tests.helpers.data_sets import make_btcv
from tests.helpers.volume_sets import (
    make_mmwhs,
    make_msd,
    save,
    wrap,
)
from zoo.errors import ConfigError, DataError
from zoo.registry import DATA
from zoo.text.prompt_files import load_prompts

# Decathlon


def test_msd_brain_tumour_has_regions_of_its_label_values(tmp_path: Path) -> None:
    data = build_datamodule("msd_brain_tumour", "tiny", root=str(make_msd(tmp_path, "Task01_BrainTumour")))
    case = next(iter(data.cases.values()))
    prepared = data.load(case)
    native = prepared.native if prepared.native is not None else prepared.label
    assert case.label is not None
    assert native is not None
    raw = stored(case.label)
    assert data.labels.names == ("whole_tumor", "tumor_core", "enhancing_tumor")
    for channel, values in enumerate(((1, 2, 3), (2, 3), (3,))):
        np.testing.assert_array_equal(native[channel] > 0, np.isin(raw, values))
    image = np.moveaxis(stored(case.images[0]), 3, 0)[(slice(None), *(slice(*pair) for pair in prepared.geometry.crop))]
    assert all(np.corrcoef(image[c].ravel(), prepared.image[c].ravel())[0, 1] > 0.999 for c in range(4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": {"0": "background", "1": "TZ", "2": "PZ"}}, "label 1 is 'TZ' here, but 'PZ' on the data card"),
        ({"labels": {"0": "background", "1": "PZ"}}, "label 2 is '' here"),
        ({"labels": {"0": "background", "1": "PZ", "2": "TZ", "3": "x"}}, "label 3 is 'x' here.*no class"),
        ({"labels": None}, "no `labels`"),
    ],
)
def test_msd_labels_are_checked_by_name(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    root = make_msd(tmp_path, "Task05_Prostate")
    edit(root / "dataset.json", **change)
    with pytest.raises(DataError, match=rf"dataset\.json: .*{message}|dataset\.json: {message}"):
        build_datamodule("msd_prostate", root=str(root)).list_cases()


def test_msd_faults_of_files_with_channels(tmp_path: Path) -> None:
    root = make_msd(tmp_path, "Task05_Prostate")
    files = sorted((root / "imagesTr").glob("[!.]*"))
    files[0].write_bytes(files[0].read_bytes()[:500])
    array = np.asarray(nib.load(files[1]).dataobj)
    save(files[1], array[..., :1])
    save(files[2], np.where(array == array.max(), np.nan, array).astype(np.float32))
    files[3].unlink()
    problems = [finding.problem for finding in verify(build_datamodule("msd_prostate", root=str(root)))]
    assert len(problems) == 4
    for file, word in zip(files, ("truncated", "instead of 2 channels", "NaN", "no such file"), strict=False):
        assert any(file.name in problem and word in problem for problem in problems)


def test_msd_unpacked_files_and_wrapped_mmwhs_are_found(tmp_path: Path) -> None:
    root = make_msd(tmp_path, "Task09_Spleen")
    path = root / "imagesTr" / "spleen_003.nii.gz"
    nib.save(nib.load(path), path.with_suffix(""))
    path.unlink()
    data = build_datamodule("msd_spleen", root=str(root))
    assert data.index.case("spleen_003").images[0].name == "spleen_003.nii"
    assert verify(data) == []
    heart = make_mmwhs(tmp_path, "ct")
    wrap(heart / "ct_train" / "ct_train_1002_image.nii.gz", "ct_train_1002_image.nii")
    assert verify(build_datamodule("mmwhs_ct", root=str(heart))) == []


def test_msd_reads_some_of_the_listed_cases_in_a_folder_with_the_name_of_the_archive(tmp_path: Path) -> None:
    root = make_msd(tmp_path / "Task09_Spleen", "Task09_Spleen")
    for number in (2, 5):
        for folder in ("imagesTr", "labelsTr"):
            (root / folder / f"spleen_{number:03d}.nii.gz").unlink()
    data = build_datamodule("msd_spleen", root=str(tmp_path))
    assert sorted(case_id for case_id, _ in data.cases) == ["spleen_001", "spleen_003", "spleen_004", "spleen_006"]
    assert counts(data) == [2, 1, 1]


def test_msd_tasks_have_registered_names() -> None:
    assert DATA.get("msd_hippocampus") is DATA.get("hippocampus")
    assert len([name for name in DATA.names() if name.startswith("msd_")]) == 10
    with pytest.raises(ConfigError, match="Task03_Liver"):
        build_datamodule("msd_liver", task="liver")
    with pytest.raises(ConfigError, match="window"):
        build_datamodule("msd_liver", window=[3.0, 1.0])


# BTCV


def test_btcv_protocol_of_eight_organs(tmp_path: Path) -> None:
    data = build_datamodule("btcv", "tiny", root=str(make_btcv(tmp_path)), protocol="18-12")
    assert counts(data) == [15, 3, 12]
    kept = ("spleen", "right_kidney", "left_kidney", "gallbladder", "liver", "stomach", "aorta", "pancreas")
    assert data.labels.names == kept == tuple(prompt.name for prompt in data.prompts)
    everything = build_datamodule("btcv", "tiny", root=str(tmp_path))
    few, all_ = data.prepared(data.index.case("0001")).native, everything.prepared(data.index.case("0001")).native
    assert few is not None
    assert all_ is not None
    for number, name in enumerate(kept, start=1):
        np.testing.assert_array_equal(few == number, all_ == 1 + everything.labels.names.index(name))
    assert not few[np.isin(all_, [5, 9, 10, 12, 13])].any()
    assert verify(data) == []
    assert load_prompts("btcv", everything.labels.names)[0] == data.prompts[0]


def test_btcv_with_few_cases_is_split_by_case(tmp_path: Path) -> None:
    root = str(make_btcv(tmp_path, ("0001", "0002", "0003", "0004")))
    with pytest.raises(DataError, match=r"'24-6': no case .*val split \(4 .*18-12 or by_case, or .*--data\.split FILE"):
        _ = build_datamodule("btcv", root=root).split
    assert counts(build_datamodule("btcv", root=root, protocol="by_case")) == [2, 1, 1]
    fold = build_datamodule("btcv", root=root, protocol="by_case", fold=1, folds=2)
    assert counts(fold) == [1, 1, 2]


@pytest.mark.parametrize("place", ["Abdomen/RawData/Training", "rawdata/training", "unetr"])
def test_btcv_is_read_from_every_known_folder(tmp_path: Path, place: str) -> None:
    few = ("0001", "0007", "0035")
    known = build_datamodule("btcv", root=str(make_btcv(tmp_path / "a", few)))
    names = ("imagesTr", "labelsTr") if place == "unetr" else ("img", "label")
    for name, other in zip(names, ("img", "label"), strict=True):
        shutil.copytree(tmp_path / "a" / "RawData" / "Training" / other, tmp_path / "b" / place / name)
    path = tmp_path / "b" / place / names[0] / "img0007.nii.gz"
    nib.save(nib.load(path), path.with_suffix(""))
    path.unlink()
    root = tmp_path / "b" / (place if place == "unetr" else "")
    found = build_datamodule("btcv", root=str(root))
    assert found.split_hash == known.split_hash
    assert verify(found) == []


def test_btcv_refuses_another_data_set_of_its_project(tmp_path: Path) -> None:
    (tmp_path / "averaged-training-images").mkdir()
    with pytest.raises(DataError, match=r"no RawData.*averaged-training-images is another data set.*RawData\.zip"):
        build_datamodule("btcv", root=str(tmp_path)).list_cases()
