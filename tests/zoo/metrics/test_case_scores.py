"""Score rows: missed, spurious and absent objects, both kinds of label space, and the CSV file."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from zoo.errors import DataError, RunError, ZooError
from zoo.metrics.case_scores import COLUMNS, LEAK, CaseScore, cases_hash, read_rows, status_of, write_rows
from zoo.metrics.definitions import METRIC_KEYS
from zoo.metrics.scoring import score_case
from zoo.types import LabelSpace

Volume = NDArray[np.uint8]
ORGANS = LabelSpace(names=("liver", "spleen", "gallbladder", "aorta"), values=((1,), (2,), (3,), (4,)))
SPACING = (0.5, 1.0, 3.0)
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # files are replaced
DIAGONAL = math.hypot(9 * 0.5, 11 * 1.0, 7 * 3.0)


def scene() -> tuple[Volume, Volume]:
    """Liver found (shifted by a voxel), spleen missed, gallbladder spurious, aorta absent."""
    mask, label = (np.zeros((10, 12, 8), np.uint8) for _ in range(2))
    label[1:5, 1:5, 1:5] = 1
    mask[1:5, 2:6, 1:5] = 1
    label[8, 8, 6] = 2
    mask[9, 11, 7] = 3
    return mask, label


def one_row(**changes: object) -> CaseScore:
    facts: dict[str, object] = dict.fromkeys(METRIC_KEYS, 0.5)
    facts |= {"case_id": "a", "label": "liver", "tp": 1, "fp": 1, "fn": 1, "unit": "mm", "status": "ok", "index": 1}
    return CaseScore(**(facts | changes))  # type: ignore[arg-type]


def same(first: CaseScore, second: CaseScore) -> bool:
    """Compare bit by bit, also NaN: `repr` is different for different floats."""
    return repr(first) == repr(second)


def test_each_status_has_its_scores() -> None:
    liver, spleen, gallbladder, aorta = score_case("c", *scene(), ORGANS, SPACING, "mm", 1.0)
    assert [row.label for row in (liver, spleen, gallbladder, aorta)] == list(ORGANS.names)
    assert [row.index for row in (liver, spleen, gallbladder, aorta)] == [1, 2, 3, 4]
    assert (liver.status, liver.tp, liver.fp, liver.fn, liver.dice) == ("ok", 48, 16, 16, 0.75)
    # Shifted by 1 mm along the second axis: no border voxel is farther than that from the other border.
    assert (liver.hd95, liver.hd95_pooled, liver.nsd) == (1.0, 1.0, 1.0)
    assert (spleen.status, spleen.tp, spleen.fp, spleen.fn) == ("missed", 0, 0, 1)
    assert (gallbladder.status, gallbladder.tp, gallbladder.fp, gallbladder.fn) == ("spurious", 0, 1, 0)
    for row in (spleen, gallbladder):
        assert (row.dice, row.nsd) == (0.0, 0.0)
        assert (row.hd95, row.hd95_pooled, row.assd) == pytest.approx((DIAGONAL,) * 3)
    assert (aorta.status, aorta.tp, aorta.fp, aorta.fn) == ("absent", 0, 0, 0)
    assert all(math.isnan(getattr(aorta, name)) for name in METRIC_KEYS)


def test_a_shifted_slab_has_the_scores_computed_by_hand() -> None:
    """Two neighbouring columns, 2 px apart: every border voxel is exactly that far from the other column."""
    mask, label = np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8)
    label[:, 0] = 1
    mask[:, 1] = 1
    row = score_case("c", mask, label, LabelSpace(("a",), ((1,),)), (1.0, 2.0), "px", 1.99)[0]
    assert (row.dice, row.hd95, row.hd95_pooled, row.assd, row.nsd) == (0.0, 2.0, 2.0, 2.0, 0.0)
    assert score_case("c", mask, label, LabelSpace(("a",), ((1,),)), (1.0, 2.0), "px", 2.0)[0].nsd == 1.0


def test_percentile_mean_and_tolerance_are_those_computed_by_hand() -> None:
    """One point against five in a row: directed distances {0} and {0, 1, 2, 3, 4}."""
    mask, label = np.zeros((1, 5), np.uint8), np.ones((1, 5), np.uint8)
    mask[0, 0] = 1
    row = score_case("c", mask, label, LabelSpace(("a",), ((1,),)), (1.0, 1.0), "px", 2.0)[0]
    assert row.hd95 == pytest.approx(3.8)  # rank 0.95 * 4 of 0, 1, 2, 3, 4
    assert row.hd95_pooled == pytest.approx(3.75)  # rank 0.95 * 5 of 0, 0, 1, 2, 3, 4
    assert row.assd == pytest.approx(10 / 6)
    assert row.nsd == pytest.approx(4 / 6)
    assert row.dice == pytest.approx(2 / 6)


def test_a_distance_equal_to_the_tolerance_does_not_depend_on_rounding() -> None:
    label, mask = np.zeros((1, 40), np.uint8), np.zeros((1, 40), np.uint8)
    for start in range(20):
        label[:], mask[:] = 0, 0
        label[0, start], mask[0, start + 20] = 1, 1
        assert score_case("c", mask, label, LabelSpace(("a",), ((1,),)), (1.0, 0.1), "mm", 2.0)[0].nsd == 1.0


def test_overlapping_masks_score_as_exclusive_ones_do() -> None:
    mask, label = scene()
    regions = LabelSpace(ORGANS.names, ORGANS.values, exclusive=False)
    stacked = [np.stack([array == value for value in (1, 2, 3, 4)]).astype(np.uint8) for array in (mask, label)]
    expected = score_case("c", mask, label, ORGANS, SPACING, "mm", 2.0)
    found = score_case("c", stacked[0], stacked[1], regions, SPACING, "mm", 2.0)
    assert all(same(a, b) for a, b in zip(found, expected, strict=True))


def test_overlapping_regions_may_overlap() -> None:
    tumour = LabelSpace(("whole", "core"), ((1, 2), (2,)), exclusive=False)
    label = np.zeros((2, 8, 8), np.uint8)
    label[0, 1:7, 1:7] = 1
    label[1, 3:5, 3:5] = 1
    rows = score_case("c", label, label, tumour, (1.0, 1.0), "px", 2.0)
    assert [(row.tp, row.dice, row.hd95) for row in rows] == [(36, 1.0, 0.0), (4, 1.0, 0.0)]


def test_the_memory_order_does_not_change_the_scores() -> None:
    mask, label = scene()
    expected = score_case("c", mask, label, ORGANS, SPACING, "mm", 2.0)
    found = score_case("c", np.asfortranarray(mask), label[::-1].copy()[::-1], ORGANS, SPACING, "mm", 2.0)
    assert all(same(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": np.zeros((10, 12, 9), np.uint8)}, "shape"),
        ({"mask": np.zeros((10, 12, 8), np.int64)}, "uint8"),
        ({"label": np.full((10, 12, 8), 5, np.uint8)}, "the value 5, but the highest valid value is 4"),
        ({"spacing": (1.0, 1.0)}, "spacing"),
        ({"spacing": (1.0, 0.0, 1.0)}, "spacing"),
        ({"spacing": (1.0, math.nan, 1.0)}, "spacing"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"tolerance": math.nan}, "tolerance"),
        ({"mask": np.zeros((0, 2, 2), np.uint8), "label": np.zeros((0, 2, 2), np.uint8)}, "shape"),
        ({"labels": LabelSpace(("a", "b"), ((1,), (2,)), exclusive=False)}, "there are 10 masks for 2 classes"),
    ],
)
def test_masks_that_cannot_be_scored_are_refused(change: dict[str, object], message: str) -> None:
    mask, label = scene()
    facts = {"mask": mask, "label": label, "labels": ORGANS, "spacing": SPACING, "unit": "mm", "tolerance": 2.0}
    with pytest.raises(DataError, match=f"'case_07'.*{message}"):
        score_case("case_07", **(facts | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "missed"},
        {"status": "lost"},
        {"unit": "cm"},
        {"dice": math.nan},
        {"hd95": math.inf},
        {"tp": -1},
        {"status": "absent", "tp": 0, "fp": 0, "fn": 0},
    ],
)
def test_a_row_cannot_contradict_itself(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"status|unit|is nan|is inf|below 0|is 0.5 although"):
        one_row(**change)


def test_rows_of_absent_objects_are_equal() -> None:
    """NaN equals nothing, but what reads back from a file is the same row."""
    first, second = (score_case("c", *scene(), ORGANS, SPACING, "mm", 1.0) for _ in range(2))
    assert first == second
    assert len({*first, *second}) == 4
    absent = first[3]
    assert absent == replace(absent, hd95=float("nan"))
    assert absent != replace(absent, case_id="d")
    assert absent != "absent"


@pytest.mark.parametrize(
    ("counts", "status"),
    [((1, 0, 0), "ok"), ((0, 1, 1), "ok"), ((0, 0, 1), "missed"), ((0, 1, 0), "spurious"), ((0, 0, 0), "absent")],
)
def test_status_of_counts(counts: tuple[int, int, int], status: str) -> None:
    assert status_of(*counts) == status


@st.composite
def tables(draw: st.DrawFn) -> list[CaseScore]:
    """Generate valid rows: unusual names, unusual floats, every status."""
    text = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=6)
    score = st.floats(0, allow_infinity=False, allow_nan=False)
    queries = st.one_of(st.just(""), text)
    keys = draw(st.lists(st.tuples(text, queries, text), unique=True, max_size=8))
    rows = []
    for case_id, query, label in keys:
        tp, fp, fn = (draw(st.integers(0, 3)) for _ in range(3))
        status = status_of(tp, fp, fn)
        values = {key: math.nan if status == "absent" else draw(score) for key in METRIC_KEYS}
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
    write_rows(tmp_path / "c.csv", [one_row(hd95=np.float64(0.1), tp=np.int64(7))])
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


def test_distances_in_voxels_are_those_of_a_spacing_of_one() -> None:
    mask, label = scene()
    for spacing in ((1.0,) * mask.ndim, (2.5,) * mask.ndim, tuple(np.linspace(0.7, 5.0, mask.ndim))):
        rows = score_case("a", mask, label, ORGANS, spacing, "mm", 2.0)
        for row, one in zip(rows, score_case("a", mask, label, ORGANS, (1.0,) * mask.ndim, "mm", 2.0), strict=True):
            due = (one.hd95, one.hd95_pooled)
            assert (row.hd95_voxels, row.hd95_pooled_voxels) == pytest.approx(due, nan_ok=True)


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


def test_queries_change_the_hash_of_the_cases_and_empty_queries_do_not() -> None:
    rows = [one_row(), one_row(case_id="b")]
    before = hashlib.sha256(b"a\nb").hexdigest()  # as computed before rows had queries
    assert cases_hash(rows) == cases_hash(rows[::-1]) == before
    assert cases_hash([one_row(query="left"), one_row(case_id="b")]) != before
    assert cases_hash([one_row(query="left")]) != cases_hash([one_row(query="right")])
