"""Rows of scores in files: what is written, what is read, and which files are refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.score_rows import ORGANS, SPACING, one_row, same, scene
from zoo.errors import RunError, ZooError
from zoo.metrics.case_scores import COLUMNS, LEAK, CaseScore, read_rows, status_of, write_rows
from zoo.metrics.definitions import METRICS, absent_values
from zoo.metrics.scoring import score_case
from zoo.utils.hashing import hash_text

LAW = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # files are replaced


@st.composite
def tables(draw: st.DrawFn) -> list[CaseScore]:
    """Generate valid rows: unusual names, unusual floats, every status."""
    text = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=6)
    distance, ratio = st.floats(0, allow_infinity=False, allow_nan=False), st.floats(0, 1)
    queries = st.one_of(st.just(""), text)
    keys = draw(st.lists(st.tuples(text, queries, text), unique=True, max_size=8))
    rows = []
    for case_id, query, label in keys:
        tp, fp, fn = (draw(st.integers(0, 3)) for _ in range(3))
        status = status_of(tp, fp, fn)
        values = absent_values()
        if status != "absent":
            values = {metric.key: draw(distance) for metric in METRICS}
            values |= {"dice": 2 * tp / (2 * tp + fp + fn), "nsd": draw(ratio) if status == "ok" else 0.0}
        facts = {"case_id": case_id, "query": query, "label": label, "unit": "px", "status": status, "index": 1}
        rows.append(CaseScore(tp=tp, fp=fp, fn=fn, **facts, **values))  # type: ignore[arg-type]
    return rows


@LAW
@given(rows=tables(), data=st.data())
def test_writing_and_reading_is_exact_for_any_order_of_rows(
    tmp_path: Path, rows: list[CaseScore], data: st.DataObject
) -> None:
    write_rows(tmp_path / "one.csv", rows)
    write_rows(tmp_path / "other.csv", data.draw(st.permutations(rows)))
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()
    back = read_rows(tmp_path / "one.csv")
    expected = sorted(rows, key=lambda row: (row.case_id, row.query, row.label))
    assert len(back) == len(rows)
    assert all(same(a, b) for a, b in zip(back, expected, strict=True))


def test_the_file_has_a_header_and_sorted_rows(tmp_path: Path) -> None:
    """Header, class order, empty cells of an absent object; a second writing replaces the first."""
    path = tmp_path / "test" / "cases.csv"
    write_rows(path, [one_row()])
    rows = score_case("b", *scene(), ORGANS, SPACING, "mm", 2.0) + score_case("a", *scene(), ORGANS, SPACING, "mm", 2.0)
    write_rows(path, reversed(rows))
    lines = path.read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[0] == (
        "case_id,query,label,tp,fp,fn,dice,hd95,hd95_pooled,nsd,assd,unit,status,index,hd95_voxels,hd95_pooled_voxels"
    )
    assert [tuple(line.split(",")[:3]) for line in lines[1:]] == [(c, "", o) for c in "ab" for o in ORGANS.names]
    assert lines[4] == "a,,aorta,0,0,0,,,,,,mm,absent,4,,"
    assert [file.name for file in path.parent.iterdir()] == ["cases.csv"]


def test_numbers_of_numpy_are_written_as_numbers(tmp_path: Path) -> None:
    write_rows(tmp_path / "c.csv", [one_row(hd95=np.float64(0.1), tp=np.int64(7), dice=np.float64(14 / 16))])
    row = read_rows(tmp_path / "c.csv")[0]
    assert (row.hd95, row.tp) == (0.1, 7)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_rows(path, [one_row()])
    before = path.read_bytes()
    with pytest.raises(RunError, match="Case 'a' has two scores of 'liver'"):
        write_rows(path, [one_row(), one_row()])
    assert path.read_bytes() == before
    folder = tmp_path / "taken.csv"
    folder.mkdir()
    with pytest.raises(RunError, match="cannot be written"):
        write_rows(folder, [one_row()])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cases.csv", "taken.csv"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: "", "first line"),
        (lambda text: text.replace("hd95_pooled", "hd"), "first line"),
        (lambda text: text.replace("ok", "missed"), "line 2"),
        (lambda text: text.replace("0.5", "", 1), "line 2.*dice is nan"),
        (lambda text: text.replace("0.5", "half", 1), "line 2"),
        (lambda text: text.rstrip()[:-2] + "\n", "line 2.*14 cells"),
    ],
)
def test_a_damaged_file_is_reported_with_its_name(tmp_path: Path, spoil: Callable[[str], str], message: str) -> None:
    path = tmp_path / "cases.csv"
    write_rows(path, [one_row()])
    path.write_text(spoil(path.read_text()))
    with pytest.raises(RunError, match=rf"cases\.csv.*{message}"):
        read_rows(path)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dice": 0.9}, r"dice is 0\.9, but the counts tp, fp, fn = 1, 1, 1 give 0\.5"),
        ({"tp": 7}, r"dice is 0\.5, but the counts"),
        ({"dice": 1e9}, "dice is 1000000000"),
        ({"nsd": 1.2}, "nsd is 1.2, which is no ratio"),
        ({"hd95": -50.0}, "hd95 is -50.0, which is no distance"),
        ({"assd": math.inf}, "assd is inf"),
        ({"hd95_voxels": -1.0}, "hd95_voxels is -1.0, which is no distance"),
        ({"hd95_pooled_voxels": math.inf}, "hd95_pooled_voxels is inf"),
        ({"tp": 0, "status": "missed", "fp": 0, "dice": 0.0}, r"nsd is 0\.5 although the object is missed"),
    ],
)
def test_a_row_that_contradicts_itself_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        one_row(**changes)


def test_a_file_that_differs_from_its_seal_is_refused_with_the_command(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    write_rows(path, [one_row(hd95=38.67)])
    seal = hash_text(path.read_text())
    assert read_rows(path, seal) == [one_row(hd95=38.67)]
    path.write_text(path.read_text().replace("38.67", "38.97"))
    assert read_rows(path) == [one_row(hd95=38.97)], "the row alone does not show it"
    with pytest.raises(RunError, match=r"cases\.csv: the file does not match its seal.*`zoo test --out r`"):
        read_rows(path, seal, "Run `zoo test --out r`.")


def test_a_missing_file_is_reported_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match=r"none\.csv.*zoo test"):
        read_rows(tmp_path / "none.csv")


def test_marked_rows_keep_their_mark_and_others_have_no_such_column(tmp_path: Path) -> None:
    rows = [one_row(mark=LEAK), one_row(case_id="b", mark=LEAK)]
    write_rows(tmp_path / "marked.csv", rows)
    assert read_rows(tmp_path / "marked.csv") == rows
    write_rows(tmp_path / "plain.csv", [one_row()])
    assert (tmp_path / "plain.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    assert "mark" not in COLUMNS


def test_rows_that_cannot_be_written_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cases\.csv: cannot be written"):
        write_rows(tmp_path / "file" / "cases.csv", [one_row()])


def test_a_file_of_an_older_version_lacks_the_distances_in_voxels(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    rows = score_case("a", *scene(), ORGANS, SPACING, "mm", 2.0)
    write_rows(path, rows)
    older = [line.rsplit(",", 2)[0] for line in path.read_text().splitlines()]
    path.write_text("\n".join(older) + "\n")
    read = read_rows(path)
    assert all(math.isnan(row.hd95_voxels) for row in read)
    assert [row.hd95 for row in read] == pytest.approx([row.hd95 for row in rows], nan_ok=True)


def without_query(path: Path) -> None:
    """Rewrite a file as the version before queries wrote it: without the second column."""
    cells = [line.split(",") for line in path.read_text().splitlines()]
    path.write_text("".join(",".join([first, *rest]) + "\n" for first, _, *rest in cells))


@pytest.mark.parametrize("mark", ["", LEAK])
def test_a_file_of_an_older_version_without_queries_is_read(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "cases.csv"
    rows = [replace(row, mark=mark) for row in score_case("a", *scene(), ORGANS, SPACING, "mm", 2.0)]
    write_rows(path, rows)
    without_query(path)
    assert path.read_text().startswith("case_id,label,tp,")
    assert read_rows(path) == rows


def test_each_query_of_a_case_has_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    rows = [
        row for query in ("", "left", "right") for row in score_case("a", *scene(), ORGANS, SPACING, "mm", 2.0, query)
    ]
    write_rows(path, reversed(rows))
    assert read_rows(path) == rows
    with pytest.raises(RunError, match="Case 'a', query 'left', has two scores of 'liver'"):
        write_rows(path, [one_row(query="left"), one_row(query="left")])
