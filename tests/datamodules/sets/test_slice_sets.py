"""The 2-D data sets with text in each of their layouts, and the faults that are refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.files.caption_tables import read_captions
from datamodules.index.card import DataCard
from datamodules.index.splits import SPLITS
from datamodules.sets.mosmed_plus import study
from datamodules.sets.polyps import SEQUENCES, sequence
from datamodules.verify import verify
from tests.helpers.all_sets import built, counts
from tests.helpers.data_sets import make_qata
from tests.helpers.image_sets import (
    make_clinicdb,
    make_etis,
    make_kvasir_seg,
    make_medclipseg,
    make_monuseg,
    make_mosmed,
    make_pranet,
    write_picture,
    write_table,
)
from zoo.errors import DataError
from zoo.registry import DATA

# MosMedData+


@pytest.mark.parametrize(
    ("stem", "whole"),
    [
        ("Morozov_study_0255_12", "Morozov_study_0255"),
        ("Jun_coronacases_case8_157", "Jun_coronacases_case8"),
        ("Jun_radiopaedia_10_85902_1_case13_32", "Jun_radiopaedia_10_85902_1_case13"),
        ("bjorke_81", "bjorke"),
        ("other", "other"),
    ],
)
def test_a_slice_knows_its_study(stem: str, whole: str) -> None:
    assert study(stem) == whole


@pytest.mark.parametrize("layout", ["frames", "lvit"])
@pytest.mark.parametrize("column", ["text", "Description"])
def test_mosmed_by_study_and_as_published(tmp_path: Path, layout: str, column: str) -> None:
    root = make_mosmed(tmp_path, layout, column)
    by_study, published = (built("mosmed_plus", root, protocol=name) for name in ("study", "published"))
    assert built("mosmed_plus", root).protocol == "study"
    assert not by_study.split.leaks()
    assert not by_study.leak_declared
    pooled = {case.case_id for case in by_study.cases.values() if case.subject == "bjorke"}
    assert len(pooled) == 3
    assert pooled <= set(by_study.split.train)
    assert counts(published) == [20, 4, 6]
    assert published.leak_declared
    assert {published.split.subjects[name] for name in published.split.test} <= {
        published.split.subjects[name] for name in published.split.train
    }


def test_slices_without_a_lesion_are_correct(tmp_path: Path) -> None:
    data = built("mosmed_plus", make_mosmed(tmp_path))
    data.setup("fit")
    empty = [case for case in data.cases.values() if "zero infected" in (case.report or "")]
    assert len(empty) == 6
    for case in empty:
        prepared = data.prepared(case)
        assert prepared.label is not None
        assert not prepared.label.any()
    assert len(list(data.train_dataloader())) == 2
    assert verify(data) == []


def test_a_frame_in_no_table_and_a_row_without_frame_are_found(tmp_path: Path) -> None:
    root = make_mosmed(tmp_path)
    table = root / "Train_text_MosMedData+ 1(in).csv"
    rows = table.read_text().splitlines(keepends=True)
    table.write_text("".join([rows[0], *rows[2:], "lost_1.png,Unilateral.\n"]))
    problems = [finding.problem for finding in verify(built("mosmed_plus", root))]
    assert any("Morozov_study_0255_1.png: the caption is missing" in problem for problem in problems)
    assert any("frames/lost_1.png: a caption names this file" in problem for problem in problems)


def test_two_tables_of_one_split_are_refused(tmp_path: Path) -> None:
    root = make_mosmed(tmp_path)
    (root / "Test_text_b.csv").write_text("Image,text\n")
    with pytest.raises(DataError, match=r"2 caption tables of Test .*Test_text\.csv"):
        built("mosmed_plus", root).list_cases()


# MoNuSeg


def test_monuseg_is_in_colour_and_split_by_patient(tmp_path: Path) -> None:
    data = built("monuseg", make_monuseg(tmp_path))
    data.setup("fit")
    assert counts(data) == [6, 2, 3]
    assert data.split.subjects["TCGA-A0-5000-01Z-00-DX1"] == "TCGA-A0-5000"
    case = data.index.case("TCGA-A0-5000-01Z-00-DX1")
    assert case.images[0].suffix == ".tif"
    prepared = data.prepared(case)
    assert prepared.image.shape == (3, 16, 16)
    assert abs(prepared.image.mean(axis=(1, 2))).max() < 1  # each channel by its own mean
    assert not np.allclose(prepared.image[0], prepared.image[1])
    assert data.facts["in_channels"] == 3


# Polyps


def test_kvasir_in_three_layouts(tmp_path: Path) -> None:
    pranet = built("kvasir", make_pranet(tmp_path))
    assert counts(pranet) == [8, 1, 3]
    assert all(case_id.startswith("cju") for case_id, _ in pranet.cases)
    own = built("kvasir", make_kvasir_seg(tmp_path))
    assert counts(own) == [7, 1, 2]
    assert own.index.case("cju000").images[0].suffix == ".jpg"
    assert verify(own) == []
    folders = built("kvasir", make_medclipseg(tmp_path))
    assert counts(folders) == [5, 2, 2]
    assert "One colonic polyp." in (folders.index.case("cju000").report or "")
    for data in (pranet, own, folders):
        assert not data.leak_declared


def test_clinicdb_by_sequence_and_as_published(tmp_path: Path) -> None:
    root = make_pranet(tmp_path)
    published, whole = (built("clinicdb", root, protocol=name) for name in ("published", "by_sequence"))
    assert built("clinicdb", root).protocol == "by_sequence"
    assert counts(published)[2] == 3
    assert published.leak_declared  # frames 160 and 161 are of one sequence
    assert not whole.split.leaks()
    assert all(case_id.isdigit() for case_id, _ in whole.cases)
    assert whole.index.case("1").report != published.index.case("210").report == "Polyp center."


def test_sequences_cover_all_frames() -> None:
    assert len(SEQUENCES) == 29
    assert list(SEQUENCES) == sorted(SEQUENCES)
    assert sequence("1") == sequence("25") == "sequence-01"
    assert sequence("26") == "sequence-02"
    assert sequence("612") == "sequence-29"
    assert sequence("613") == "613"
    assert len({sequence(str(number)) for number in range(1, 613)}) == 29


@pytest.mark.parametrize("name", ["colondb", "cvc300", "etis"])
def test_other_polyp_data_sets_are_only_tested_on(tmp_path: Path, name: str) -> None:
    data = built(name, make_pranet(tmp_path))
    assert sum(counts(data)) == 9 + 9 + 4
    assert {case_id.split("-")[0] for case_id in data.split.test} == {name}
    assert {case_id.split("-")[0] for part in SPLITS[:2] for case_id in data.split.ids_of(part)} == {
        "kvasir",
        "clinicdb",
    }
    assert {data.index.case(case_id).images[0].parent.parent.parent.name for case_id in data.split.test} == {
        "TestDataset"
    }


def test_frames_of_a_video_may_look_alike(tmp_path: Path) -> None:
    root = make_pranet(tmp_path)
    frames = root / "TestDataset" / "CVC-ColonDB" / "images"
    one = np.asarray(Image.open(frames / "1.png")).astype(np.float32)
    write_picture(frames / "4.png", np.clip(one * 1.1 + 4, 0, 255).astype(np.uint8))
    data = built("colondb", root)
    assert verify(data) == []
    data.card = replace(data.card, video=False)
    assert [finding.kind for finding in verify(data)] == ["near_duplicate"]


def test_data_sets_of_medclipseg_are_read_side_by_side(tmp_path: Path) -> None:
    for name in ("Kvasir", "ClinicDB", "ColonDB"):
        make_medclipseg(tmp_path, name)
    data = built("colondb", tmp_path)
    assert counts(data) == [10, 4, 2]
    assert counts(built("kvasir", tmp_path)) == [5, 2, 2]


def test_a_long_caption_is_complete_in_the_batch(tmp_path: Path) -> None:
    root = make_kvasir_seg(tmp_path)
    long = " ".join(["irregular,smooth"] * 44 + ["polyp."])
    table = root / "Kvasir_train.csv"
    rows = [("Image", "Description"), *((name, long) for name, _ in read_captions(table))]
    write_table(table, rows, bom=True)
    batch = next(iter(built("kvasir", root).train_dataloader()))
    assert batch["reports"] == [long, long]


def test_a_missing_file_of_a_polyp_data_set_is_reported(tmp_path: Path) -> None:
    root = make_kvasir_seg(tmp_path)
    with pytest.raises(DataError, match="no images and masks of clinicdb"):
        built("etis", make_medclipseg(tmp_path).parent / "Kvasir").list_cases()
    (root / "images" / "cju777.jpg").write_bytes((root / "images" / "cju000.jpg").read_bytes())
    (root / "masks" / "cju777.jpg").write_bytes((root / "masks" / "cju000.jpg").read_bytes())
    with pytest.raises(DataError, match=r"cju777\.jpg: the caption is missing"):
        _ = built("kvasir", root).cases
    (root / "Kvasir_test.csv").unlink()
    with pytest.raises(DataError, match=r"no caption table kvasir_test\.csv"):
        built("kvasir", root).list_cases()


def test_clinicdb_and_etis_are_read_in_the_layout_of_their_authors(tmp_path: Path) -> None:
    clinic = built("clinicdb", make_clinicdb(tmp_path, "PNG"), protocol="published")
    tiff = built("clinicdb", make_clinicdb(tmp_path / "b", "TIF"), protocol="published")
    assert clinic.split_hash == tiff.split_hash
    assert tiff.index.case("1").images[0].suffix == ".tif"
    assert verify(clinic) == verify(tiff) == []
    assert counts(clinic)[2] == 3
    root = make_pranet(tmp_path / "c")
    shutil.rmtree(root / "TestDataset" / "ETIS-LaribPolypDB")
    data = built("etis", make_etis(root))
    assert counts(data)[2] == 4
    case = data.index.case("etis-1")
    assert case.label is not None
    assert (case.images[0].name, case.label.name) == ("1.tif", "p1.tif")
    assert verify(data) == []


# QaTa-COV19


def test_qata_is_read_in_the_layout_of_its_authors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lvit = built("qata_cov19", make_qata(tmp_path / "a", 8, 4, val=2, layout="lvit"), protocol="lvit")
    root = make_qata(tmp_path / "b", 8, 4, val=2, layout="kaggle")
    assert (root / "QaTa-COV19" / "QaTa-COV19-v2" / "Train Set" / "Ground-truths").is_dir()
    with_list = built("qata_cov19", root, protocol="lvit")
    assert with_list.split_hash == lvit.split_hash
    assert {name: case.report for name, case in with_list.cases.items()} == {
        name: case.report for name, case in lvit.cases.items()
    }
    in_order = built("qata_cov19", root)
    assert in_order.protocol == "file_order"
    assert counts(in_order) == [8, 2, 4]
    assert verify(in_order) == []
    (root / "Val_ID.xlsx").unlink()
    with pytest.raises(DataError, match="the val split"):
        _ = built("qata_cov19", root, protocol="lvit").split
    first = in_order.split.train[0]
    write_table(root / "Val_ID.csv", [("Image",), ("mask_lost.png",), (f"mask_{first}.png",)])
    assert built("qata_cov19", root, protocol="lvit").split.val == (first,)
    assert "Val_ID.csv: 1 names belong to no existing training image, such as lost" in caplog.text


@pytest.mark.parametrize(
    ("name", "protocol", "own"),
    [
        ("qata_cov19", "file_order", True),
        ("qata_cov19", "lvit", True),
        ("mosmed_plus", "published", True),
        ("mosmed_plus", "study", False),
        ("monuseg", "lvit", True),
        ("kvasir", "published", True),
        ("clinicdb", "published", True),
        ("clinicdb", "by_sequence", False),
        ("colondb", "pranet", True),
        ("cvc300", "pranet", True),
        ("etis", "pranet", True),
    ],
)
def test_the_card_says_whose_test_split_is_in_no_fold(name: str, protocol: str, own: bool) -> None:
    """Every protocol of the 2-D cards is in this list. A new protocol must say whether its test split was published."""
    assert DataCard.of(DATA.get(name)).protocols[protocol].own_test is own
