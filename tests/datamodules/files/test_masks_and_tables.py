"""Masks, pictures and tables of the 2-D sets: what is read of them, and what is refused."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datamodules.files.caption_tables import read_captions, read_table
from datamodules.verify import verify
from tests.helpers.all_sets import built
from tests.helpers.data_sets import make_qata
from tests.helpers.image_sets import (
    make_kvasir_seg,
    make_monuseg,
    make_mosmed,
    make_own_pictures,
    write_picture,
    write_table,
)
from zoo.errors import DataError
from zoo.io.pictures import PictureReader, to_black_white


def test_masks_are_read_whatever_their_makers_did(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    clean = np.zeros((20, 20), np.int32)
    clean[5:12, 5:12] = 255
    assert (to_black_white(clean // 255, path) == clean).all()
    assert (to_black_white(clean, path) == clean).all()
    assert not to_black_white(np.zeros((4, 4), np.int32), path).any()
    noisy = np.clip(clean + np.random.default_rng(0).integers(-8, 9, clean.shape), 0, 255).astype(np.int32)
    assert (to_black_white(noisy, path) == clean).all()
    coloured = write_picture(tmp_path / "c.png", np.repeat(clean.astype(np.uint8)[..., None], 3, axis=2))
    assert (PictureReader(channels=3).label(coloured)[0] == clean).all()
    soft = np.clip(clean, 0, 255)
    soft[4, 5:12], soft[12, 5:12] = 100, 140  # an edge between
    assert (to_black_white(soft, path)[12, 5:12] == 255).all()
    assert not to_black_white(soft, path)[4].any()
    numbered = np.arange(400, dtype=np.int32).reshape(20, 20)
    eight = numbered % 256  # a number for each object, white among them
    few = np.where(clean > 0, 3, 0)
    for strange in (np.where(clean > 0, 76, 0), np.where(np.eye(20, dtype=bool), 255, 100), numbered, eight, few):
        with pytest.raises(DataError, match=r"mask\.png: not a black-and-white mask"):
            to_black_white(strange.astype(np.int32), path)


def test_gray_is_thresholded_only_where_a_set_says_so(tmp_path: Path) -> None:
    """Polyp masks are JPEGs; elsewhere a gray value is a finding, and never becomes foreground or background."""
    root = make_qata(tmp_path, size=48)
    mask = next((root / "Test" / "GTs").iterdir())
    gray = np.zeros((48, 48), np.uint8)
    gray[10:30, 10:30], gray[9, 10:30] = 255, 7
    write_picture(mask, gray)
    strict, lenient = built("qata_cov19", root), built("kvasir", make_kvasir_seg(tmp_path))
    problems = [finding.problem for finding in verify(strict)]
    assert len(problems) == 1
    assert problems[0].startswith(f"{mask}: unexpected label values [7]")
    assert np.unique(lenient.reader.label(mask)[0]).tolist() == [0, 255]
    assert not strict.reader.black_white  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["monuseg", "mosmed_plus"])
def test_masks_whose_grays_are_not_told_are_read_by_black_and_white(tmp_path: Path, name: str) -> None:
    root = make_monuseg(tmp_path) if name == "monuseg" else make_mosmed(tmp_path)
    masks = sorted(path for path in root.rglob("*.png") if path.parent.name in ("labelcol", "masks"))
    gray = np.zeros(np.asarray(Image.open(masks[0])).shape[:2], np.uint8)
    gray[10:30, 10:30], gray[9, 10:30], gray[30, 10:30] = 1, 0, 0
    write_picture(masks[0], gray)  # 0 and 1
    gray[10:30, 10:30], gray[9, 10:30], gray[30, 10:30] = 255, 60, 190
    write_picture(masks[1], gray)  # smoothed
    write_picture(masks[2], np.arange(gray.size).reshape(gray.shape).astype(np.uint8))  # a number for each object
    data = built(name, root)
    (finding,) = verify(data)
    assert finding.problem.startswith(f"{masks[2]}: not a black-and-white mask")
    assert data.reader.label(masks[0])[0].sum() == 255 * 20 * 20
    assert data.reader.label(masks[1])[0].sum() == 255 * 20 * 21


def test_missing_files_are_named_as_their_neighbours(tmp_path: Path) -> None:
    root = make_kvasir_seg(tmp_path)
    (root / "masks" / "cju003.jpg").unlink()
    assert any(finding.problem.endswith("masks/cju003.jpg: no such file.") for finding in verify(built("kvasir", root)))
    other = make_monuseg(tmp_path)
    shutil.rmtree(other / "Train_Folder" / "labelcol")
    problems = [finding.problem for finding in verify(built("monuseg", other))]
    assert len(problems) == 6
    assert all("Train_Folder/labelcol/TCGA" in problem and "no such file" in problem for problem in problems)
    shutil.rmtree(other / "Train_Folder")
    with pytest.raises(DataError, match="no Train_Folder/img in it"):
        built("monuseg", other).list_cases()


def test_pictures_of_few_and_many_bits(tmp_path: Path) -> None:
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    path = write_picture(tmp_path / "deep.png", deep)
    for channels in (1, 3):
        array, geometry = PictureReader(channels=channels).image(path)
        assert array.shape == (channels, 8, 8)
        assert array.max() == 63000
        assert geometry.unit == "px"
    colours = write_picture(tmp_path / "c.png", np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8))
    with pytest.raises(DataError, match=r"c\.png: a colour picture"):
        PictureReader(gray_only=True).image(colours)
    with pytest.raises(DataError, match="no such file"):
        PictureReader(channels=3).image(tmp_path / "absent.png")


def test_a_csv_with_semicolons_is_read_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Image;text\na.png;One area, upper left lung.\n", encoding="utf-8-sig")
    assert read_captions(path) == [("a.png", "One area, upper left lung.")]
    path.write_text("Image,text\na.png,One; two.\n")
    assert read_captions(path) == [("a.png", "One; two.")]


@pytest.mark.parametrize("end", [".csv", ".xlsx"])
def test_tables_are_read_with_gaps(tmp_path: Path, end: str) -> None:
    rows = [("Image", "Text"), ("a.png", " spaced "), ("", ""), ("b.png",)]
    header, found = read_table(write_table(tmp_path / f"t{end}", rows))
    assert header == ["image", "text"]
    assert found == [["a.png", "spaced"], ["b.png", ""]]
    with pytest.raises(DataError, match="empty"):
        read_table(write_table(tmp_path / f"u{end}", [("", "")]))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["a.png,Bilateral infection, two areas"], "row 2 has 3 cells, the header has 2"),
        (["a.png,One.", 'b.png,"Two.', "c.png,Three."], "row 3: unexpected end of data"),
        (["a.png,One.", 'b.png,"Two.', 'c.png,Three"', "d.png,Four."], "row 3 opens a quote that swallows"),
        (['a.png,"Left" lung'], "row 2: ',' expected after '\"'"),
    ],
)
def test_a_row_that_does_not_fit_its_header_is_refused_with_its_number(
    tmp_path: Path, lines: list[str], problem: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["Image,text", *lines, ""]), encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(problem)) as caught:
        read_table(path)
    assert caught.value.kind == "caption_table"


def test_a_quoted_text_may_hold_separators_quotes_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('Image,text,\na.png,"One, two;\nthe ""third"".",\nb.png,5" wide,\n', encoding="utf-8")
    assert read_captions(path) == [("a.png", 'One, two;\nthe "third".'), ("b.png", '5" wide')]


@pytest.mark.parametrize("word", ["nan", "None", "#N/A", "-", "NULL", "n/a", " NaN "])
@pytest.mark.parametrize("end", [".csv", ".xlsx"])
def test_a_word_for_a_missing_value_is_no_caption(tmp_path: Path, end: str, word: str) -> None:
    rows = [("Image", "text"), ("a.png", word), ("b.png", "No lesion.")]
    assert read_captions(write_table(tmp_path / f"t{end}", rows)) == [("a.png", ""), ("b.png", "No lesion.")]


def test_rows_beyond_the_stated_size_of_a_workbook_are_read(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.xlsx", [("Image", "text"), *((f"{n}.png", f"Text {n}.") for n in range(20))])
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in parts.items():
            new.writestr(name, re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1:B3"', content))
    assert len(read_captions(path)) == 20


def test_one_mask_for_all_rows_is_refused_in_training_and_named_by_verify(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    header, rows = read_table(root / "cases.csv")
    same = [[row[0], rows[0][1], *row[2:]] for row in rows]
    write_table(root / "cases.csv", [tuple(header), *(tuple(row) for row in same)])
    data = built("image_text_folder", root)
    with pytest.raises(DataError, match=r"p0\.png: the label of 12 cases \(pictures-p0, pictures-p1"):
        _ = data.cases
    assert "mask_shared" in [finding.kind for finding in verify(built("image_text_folder", root))]


def test_a_class_that_stands_in_no_label_is_named(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    (root / "dataset.yaml").write_text("classes: {red spot: [1], blue spot: 2, vessel: 7}\nchannels: 3\n")
    findings = verify(built("image_text_folder", root))
    assert [finding.kind for finding in findings] == ["class_absent"]
    assert "class 'vessel' (values [7]) stands in none of 12 labels" in findings[0].problem
