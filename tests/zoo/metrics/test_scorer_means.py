"""Means by scorers, from rows with known counts: pooled and mean scores, and what empty masks do."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.metrics.case_scores import CaseScore, status_of
from zoo.metrics.definitions import METRIC_KEYS, absent_values, worst_values
from zoo.metrics.scorer_means import SCORER_MEANS, scorer_means

BY_KEY = {one.key: one for one in SCORER_MEANS}


def row(
    case: str,
    query: str,
    voxels: tuple[int, int, int],
    rex: Any = None,
    near: Any = None,
    cvpr25: Any = None,
    **more: Any,
) -> CaseScore:
    """A row with counts of voxels and of instances."""
    tp, fp, fn = voxels
    status, dice = status_of(*voxels), 2 * tp / (2 * tp + fp + fn) if any(voxels) else 1.0
    values: dict[str, Any] = absent_values() if status == "absent" else worst_values(30.0)
    if status == "ok":
        values = dict.fromkeys(METRIC_KEYS, 0.5) | {"dice": dice}
    counts = {name: given for name, given in (("rex", rex), ("rex_distance", near), ("cvpr25", cvpr25)) if given}
    values |= {f"{name}_{key}": n for name, ns in counts.items() for key, n in zip(("tp", "fp", "fn"), ns, strict=True)}
    values |= {"rex_dice": dice} if rex else {}
    values |= {"cvpr25_dice_tp": 0.8 * cvpr25[0]} if cvpr25 else {}
    return CaseScore(
        case_id=case, query=query, label="x", tp=tp, fp=fp, fn=fn, unit="mm", status=status, **(values | more)
    )


ROWS = [
    row("a", "0", (30, 10, 10), (1, 1, 1), (2, 0, 0), (1, 1, 1), nsd_surfels=0.9),
    row("a", "1", (1, 99, 100), (0, 2, 3), (1, 1, 2), (0, 2, 3), nsd_surfels=0.1),
    row("b", "0", (0, 0, 20), (0, 0, 1), (0, 0, 1), (0, 0, 1), nsd_surfels=0.0),
    row("b", "1", (0, 5, 0), (0, 1, 0), (0, 1, 0), (0, 1, 0), nsd_surfels=0.0),
    row("c", "0", (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0)),
]
EXPECTED = {
    "rex_dice": (0.75 + 0.01 / 1.005 + 0 + 0 + 1) / 5,
    "rex_dice_case": ((0.75 + 0.01 / 1.005) / 2 + 0 + 1) / 3,
    "rex_hit": 2 / 5,
    "rex_precision": 1 / 5,
    "rex_recall": 1 / 6,
    "rex_f1": 2 / 11,
    "rex_f1_query": (0.5 + 0 + 0 + 0 + 1) / 5,
    "rex_distance_precision": 3 / 5,
    "rex_distance_recall": 3 / 6,
    "rex_distance_f1": 6 / 11,
    "cvpr25_dice": ((0.75 + 0.01 / 1.005) / 2 + 0) / 2,
    "cvpr25_nsd": (0.5 + 0.0) / 2,
    "cvpr25_f1": (2 / 9 + 0 + 0) / 3,
    "cvpr25_dsc_tp": (0.8 + 0 + 0) / 3,
}


def test_each_mean_is_that_of_its_definition() -> None:
    assert scorer_means(ROWS, {"tolerance": 2.0}) == pytest.approx(EXPECTED)


def test_empty_masks_alone_have_the_values_that_each_scorer_gives_them() -> None:
    found = scorer_means(ROWS[4:], {})
    by_rex = {key: value for key, value in found.items() if key.startswith("rex")}
    assert set(by_rex.values()) == {1.0}
    assert {key: value for key, value in found.items() if key not in by_rex} == {"cvpr25_f1": 0, "cvpr25_dsc_tp": 0}


def test_rows_without_the_counts_say_which_command_makes_them() -> None:
    bare = row("a", "0", (1, 0, 0))
    assert scorer_means([bare, *ROWS], {}) == {}
    assert "--convention rexgroundingct" in BY_KEY["rex_f1"].find_reason([*ROWS, bare], {})
    unsaid = row("a", "0", (1, 0, 0), (1, 0, 0))
    assert scorer_means([unsaid], {}).keys() == {key for key in EXPECTED if key.startswith("rex") and "dist" not in key}
    assert "is focal" in BY_KEY["rex_distance_f1"].find_reason([unsaid], {})


def test_a_structure_has_no_f1_and_objects_have_no_nsd_by_the_scorer_of_cvpr25() -> None:
    structure = row("a", "0", (30, 10, 10), nsd_surfels=0.9)
    objects = row("b", "1", (30, 10, 10), cvpr25=(1, 1, 1))
    assert scorer_means([structure], {}) == {"cvpr25_dice": 0.75, "cvpr25_nsd": 0.9}
    assert scorer_means([objects], {}).keys() == {"cvpr25_f1", "cvpr25_dsc_tp"}
    assert scorer_means([structure, objects], {}) == pytest.approx(
        {"cvpr25_dice": 0.75, "cvpr25_nsd": 0.9, "cvpr25_f1": 0.5, "cvpr25_dsc_tp": 0.8}
    )


def test_the_nsd_of_another_tolerance_is_not_that_of_the_scorer() -> None:
    assert "tolerance of the data set is 3.0 mm" in BY_KEY["cvpr25_nsd"].find_reason(ROWS, {"tolerance": 3.0})
    assert "cvpr25_nsd" not in scorer_means(ROWS, {"tolerance": 3.0})
