from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from datamodules.index.splits import SPLITS
from datamodules.verify.laterality_check import find_contradiction
from tests.helpers.data_sets import make_btcv, make_hippocampus, make_qata, write_nifti
from zoo.data_facts import DataFacts
from zoo.errors import ConfigError, DataError, UnknownNameError
from zoo.text.captions import read_caption
from zoo.types import CaseKey

SETS = ("hippocampus", "qata_cov19", "btcv")


def counts(data: SegDataModule) -> list[int]:
    return [len(data.split.ids_of(part)) for part in SPLITS]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("size", ["tiny", "published"])
def test_facts_need_no_data(name: str, size: str) -> None:
    data = build_datamodule(name, size)
    facts = DataFacts.from_dict(data.facts)
    assert facts.to_dict() == data.facts
    assert [prompt.name for prompt in facts.prompts] == list(facts.labels.names)
    assert all(n % 8 == 0 for n in facts.patch)
    with pytest.raises(DataError, match=r"--data\.root"):
        _ = data.folder


def test_root_comes_from_the_setting_or_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_hippocampus(tmp_path / "hippocampus", 5)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    by_setting = build_datamodule("hippocampus", "tiny")
    by_root = build_datamodule("hippocampus", "tiny", root=str(tmp_path / "hippocampus" / "Task04_Hippocampus"))
    assert by_setting.split_hash == by_root.split_hash
    assert counts(by_root) == [3, 1, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": [8, 8]}, "3 positive"),
        ({"patch": [8, 8, 0]}, "3 positive"),
        ({"text": "shufled"}, "shufled"),
        ({"batch_size": 9, "epoch_samples": 8}, "epoch_samples"),
        ({"protocol": "by_cas"}, "by_case"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_datamodule("hippocampus", "tiny", **options)


def test_a_wrong_spacing_is_refused() -> None:
    with pytest.raises(ConfigError, match="voxel size"):
        build_datamodule("btcv", spacing=[1.5, 0, 2.0])


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="hippocampus"):
        build_datamodule("hippocampuss")
    with pytest.raises(UnknownNameError, match="published"):
        build_datamodule("hippocampus", "publishd")


def test_batches_of_the_hippocampus_keep_the_contract(tmp_path: Path) -> None:
    data = build_datamodule(
        "hippocampus", "tiny", root=str(make_hippocampus(tmp_path, 10)), patch=[16, 24, 24], batch_size=4
    )
    data.setup("fit")
    assert counts(data) == [7, 1, 2]
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (4, 1, 16, 24, 24)
    assert batch["label"].shape == (4, 1, 16, 24, 24)
    assert set(batch["label"].unique().tolist()) <= {0, 1, 2}
    assert batch["spacing"].tolist() == [[1.0, 1.0, 1.0]] * 4
    assert "reports" not in batch
    assert "native" not in batch
    seen = [batch["case_id"] for batch in data.test_dataloader()]
    assert sorted(id_ for ids in seen for id_ in ids) == sorted(data.split.test)
    one = next(iter(data.val_dataloader()))
    native = one["native"][0]
    assert one["image"].shape[2:] == native.label.shape == one["label"].shape[2:]
    assert abs(float(one["image"].mean())) < 1e-4
    assert abs(float(one["image"].std()) - 1) < 1e-2


def test_btcv_is_windowed_cropped_and_resampled(tmp_path: Path) -> None:
    data = build_datamodule("btcv", "tiny", root=str(make_btcv(tmp_path)), patch=[16, 16, 8])
    assert counts(data) == [20, 4, 6]
    for root in ("RawData", "RawData/Training"):
        assert build_datamodule("btcv", root=str(tmp_path / root)).split_hash == data.split_hash
    prepared = data.prepared(data.index.case("0035"))
    geometry = prepared.geometry
    assert geometry.shape == (40, 36, 16)
    assert geometry.spacing == (2.0, 2.0, 3.0)
    crop = [stop - start for start, stop in geometry.crop]
    assert crop[0] < 40
    assert crop[1] < 36
    assert prepared.image.shape[1:] == tuple(
        round(n * a / b) for n, a, b in zip(crop, (2.0, 2.0, 3.0), (1.5, 1.5, 2.0), strict=True)
    )
    assert prepared.image.min() == 0
    assert prepared.image.max() <= 1
    assert prepared.native is not None
    assert prepared.native.shape == (40, 36, 16)
    assert set(np.unique(prepared.native)) > {0, 13}
    assert prepared.label is not None
    inside = tuple(slice(*pair) for pair in geometry.crop)
    volume = np.prod([1.5, 1.5, 2.0]) / np.prod([2.0, 2.0, 3.0])
    share = np.count_nonzero(prepared.label) * volume / np.count_nonzero(prepared.native[inside])
    assert 0.8 < share < 1.2
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (2, 1, 16, 16, 8)


def test_stored_axes_are_turned_to_ras(tmp_path: Path) -> None:
    """The replica of BTCV stores x from right to left, so that the network gets the mirrored label."""
    root = make_btcv(tmp_path, ("0001", "0007", "0035"))
    data = build_datamodule("btcv", "tiny", root=str(root), patch=[16, 16, 8])
    case = data.index.case("0001")
    import nibabel as nib

    assert case.label is not None
    stored = np.asarray(nib.load(case.label).dataobj)
    np.testing.assert_array_equal(data.prepared(case).native, stored[::-1])


@pytest.mark.parametrize("layout", ["languide", "lvit"])
def test_qata_layouts_give_one_split(tmp_path: Path, layout: str) -> None:
    root = make_qata(tmp_path, 10, 4, layout=layout)
    data = build_datamodule("qata_cov19", "tiny", root=str(root), patch=[16, 16], batch_size=2, epoch_samples=4)
    data.setup("fit")
    assert counts(data) == [8, 2, 4]
    ids = sorted(case_id for part in ("train", "val") for case_id in data.split.ids_of(part))
    assert (*data.split.train, *data.split.val) == tuple(ids)  # the table is ordered by name
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == batch["label"].shape == (2, 1, 16, 16)
    assert set(batch["label"].unique().tolist()) == {0, 1}
    assert batch["spacing"].tolist() == [[2.0, 2.0]] * 2
    assert all(report.startswith("Unilateral") for report in batch["reports"])
    test = next(iter(data.test_dataloader()))
    assert test["native"][0].label.shape == (1, 32, 32)
    assert test["reports"] == [data.index.case(case_id).report for case_id in test["case_id"]]


def test_qata_val_folder_counts_as_train_unless_asked(tmp_path: Path) -> None:
    whole = build_datamodule("qata_cov19", root=str(make_qata(tmp_path / "a", 10, 4, layout="lvit", val=5)))
    assert counts(whole) == [12, 3, 4]
    given = build_datamodule(
        "qata_cov19", root=str(make_qata(tmp_path / "a", 10, 4, layout="lvit", val=5)), protocol="lvit"
    )
    assert counts(given) == [10, 5, 4]
    with pytest.raises(DataError, match="the val split"):
        _ = build_datamodule("qata_cov19", root=str(make_qata(tmp_path / "b")), protocol="lvit").split


def test_train_and_val_may_have_one_table(tmp_path: Path) -> None:
    import openpyxl

    root = make_qata(tmp_path, 6, 3, layout="lvit", val=2)
    book = openpyxl.load_workbook(root / "Train_Folder" / "Train_text.xlsx")
    more = openpyxl.load_workbook(root / "Val_Folder" / "Val_text.xlsx")
    for row in list(more.active.iter_rows(values_only=True))[1:]:
        book.active.append(row)
    book.save(root / "Train_Folder" / "Train_Val_text.xlsx")
    (root / "Train_Folder" / "Train_text.xlsx").unlink()
    (root / "Val_Folder" / "Val_text.xlsx").unlink()
    assert counts(build_datamodule("qata_cov19", root=str(root), protocol="lvit")) == [6, 2, 3]


@pytest.mark.parametrize("column", ["Description", "text", "caption"])
def test_a_caption_column_may_have_several_names(tmp_path: Path, column: str) -> None:
    root = make_qata(tmp_path)
    for table in (root / "prompt").glob("*.csv"):
        text = table.read_text(encoding="utf-8").replace("Description", column)
        table.write_text("\ufeff" + text, encoding="utf-8")
    assert counts(build_datamodule("qata_cov19", root=str(root))) == [8, 2, 4]


def test_prompt_hash_follows_reports_and_prompts(tmp_path: Path) -> None:
    root = make_qata(tmp_path)
    first = build_datamodule("qata_cov19", root=str(root)).prompt_hash
    assert first == build_datamodule("qata_cov19", "tiny", root=str(root)).prompt_hash
    table = root / "prompt" / "train.csv"
    table.write_text(table.read_text().replace("one infected area", "two infected areas", 1))
    assert build_datamodule("qata_cov19", root=str(root)).prompt_hash != first


def test_text_controls_reach_evaluation_only(tmp_path: Path) -> None:
    root = make_qata(tmp_path, 10, 6)
    options: dict[str, Any] = {"root": str(root), "patch": [16, 16], "batch_size": 2, "epoch_samples": 4}
    shuffled = build_datamodule("qata_cov19", "tiny", **options, text="shuffled")
    shuffled.setup("test")
    for batch in shuffled.test_dataloader():
        for case_id, report in zip(batch["case_id"], batch["reports"], strict=True):
            assert report != shuffled.index.case(case_id).report
    for batch in shuffled.train_dataloader():
        for case_id, report in zip(batch["case_id"], batch["reports"], strict=True):
            assert report == shuffled.index.case(case_id).report
    blank = next(iter(build_datamodule("qata_cov19", "tiny", **options, text="blank").test_dataloader()))
    assert set(blank["reports"]) == {""}
    assert {prompt.sentence for prompt in blank["classes"]} == {""}


def test_class_prompts_are_shuffled_in_evaluation(tmp_path: Path) -> None:
    data = build_datamodule("hippocampus", "tiny", root=str(make_hippocampus(tmp_path, 5)), text="shuffled")
    data.setup("test")
    test = next(iter(data.test_dataloader()))
    train = next(iter(data.train_dataloader()))
    assert test["classes"] == data.prompts[::-1]
    assert train["classes"] == data.prompts


def test_several_channels_must_agree(tmp_path: Path) -> None:
    data = build_datamodule("hippocampus", "tiny", root=str(make_hippocampus(tmp_path, 5)))
    case = next(iter(data.cases.values()))
    other = write_nifti(tmp_path / "other.nii.gz", np.zeros((4, 4, 4), np.float32))
    from dataclasses import replace

    assert data.load(replace(case, images=case.images * 2)).image.shape[0] == 2
    with pytest.raises(DataError, match=r"other\.nii\.gz: shape"):
        data.load(replace(case, images=(case.images[0], other)))


@pytest.mark.realdata
def test_the_real_hippocampus_has_its_published_cases(real_data: Path) -> None:
    data = build_datamodule("hippocampus", "tiny", root=str(real_data))
    assert counts(data) == [72, 8, 20]
    case = data.index.case("hippocampus_007")
    prepared = data.prepared(case)
    assert prepared.label is not None
    assert set(np.unique(prepared.label)) == {0, 1, 2}
    data.setup("test")


@pytest.mark.realdata
def test_the_real_qata_has_its_published_cases(real_data: Path) -> None:
    data = build_datamodule("qata_cov19", "tiny", root=str(real_data / "QaTa-COV19-v2"))
    assert counts(data) == [640, 161, 208]
    assert not data.split.leaks()
    first = next(iter(data.val_dataloader()))
    assert first["image"].shape == (16, 1, 128, 128)
    assert first["native"][0].label.shape == (1, 224, 224)
    assert len({case.report for case in data.cases.values()}) == 52


@pytest.mark.realdata
def test_a_contradicting_caption_of_qata_denies_a_part_of_its_mask(real_data: Path) -> None:
    data = build_datamodule("qata_cov19", "tiny", root=str(real_data / "QaTa-COV19-v2"), text="contradict")
    wrong = [name for name, finding in data.card.known.items() if finding == "side_contradiction"]
    cases = [*data.cases_of("test"), *(data.cases[CaseKey(name)] for name in wrong)]
    reports = data.text_source.for_groups([cases]).reports_of([case.key for case in cases])
    assert reports is not None
    for case, report in zip(cases, reports, strict=True):
        assert case.label is not None
        mask = np.asarray(Image.open(case.label)) > 0
        if case.case_id in wrong:
            assert report == case.report  # it contradicts already: exchanged, it would be true
            assert find_contradiction(report, mask, data.card)
        else:
            told = read_caption(report)
            assert told is not None
            half = mask[:, :112] if "right" in told.zones else mask[:, 112:]
            assert half.sum() > 0.07 * mask.sum()
