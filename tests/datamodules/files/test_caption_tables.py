"""Tables of captions: separators, gaps, quotes and workbooks."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from datamodules.files.caption_tables import read_captions
from tests.helpers.image_sets import (
    write_table,
)
from zoo.errors import DataError
from zoo.io.tables import read_table


def test_a_column_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    rows = [("Image", "text", "Text"), ("a.png", "one", "two")]
    with pytest.raises(DataError, match=r"t\.csv: the column 'text' comes twice"):
        read_captions(write_table(tmp_path / "t.csv", rows))
    rows = [("Image", "text", "Description"), ("a.png", "one", "two")]
    with pytest.raises(DataError, match=r"t\.csv: which of the columns description and text"):
        read_captions(write_table(tmp_path / "t.csv", rows))
    gaps = [("Image", "text", "", ""), ("a.png", "one", "", "")]
    assert read_captions(write_table(tmp_path / "t.csv", gaps)) == [("a.png", "one")]


def test_tabs_separate_columns_too(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Image\ttext\na.png\tOne, two; three.\n", encoding="utf-8")
    assert read_captions(path) == [("a.png", "One, two; three.")]


def test_semicolons_separate_columns_where_the_header_has_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("Image;text\na.png;One area, upper left lung.\n", encoding="utf-8-sig")
    assert read_captions(path) == [("a.png", "One area, upper left lung.")]
    path.write_text("Image,text\na.png,One; two.\n")
    assert read_captions(path) == [("a.png", "One; two.")]


@pytest.mark.parametrize("end", [".csv", ".xlsx"])
def test_empty_rows_and_cells_are_accepted(tmp_path: Path, end: str) -> None:
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


def test_a_quoted_text_may_contain_separators_quotes_and_lines(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_table_of_a_windows_editor_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("Image;text\r\na.png;Zwei Herde, größer.\r\n".encode(encoding))
    assert read_captions(path) == [("a.png", "Zwei Herde, größer.")]


def test_a_workbook_that_unpacks_to_too_much_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_LIMITS", "text_mb=1")
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("xl/worksheets/sheet1.xml", bytes(2_500_000))
    with pytest.raises(DataError, match=r"a\.xlsx: unpacks to 2 MB\. .*ZOO_LIMITS=text_mb=3\.$"):
        read_table(path)
