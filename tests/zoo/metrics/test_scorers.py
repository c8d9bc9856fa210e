"""The scorers of two challenges on hand-made masks, against a second implementation written from their definitions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.metrics.case_scores import CaseScore, read_rows, write_rows
from zoo.metrics.conventions import CVPR25, REX
from zoo.metrics.scorer_fields import CVPR25_FIELDS, REX_DISTANCE, REX_FIELDS
from zoo.metrics.scoring import score_case
from zoo.types import InstanceFacts, LabelSpace

SHAPE = (12, 12, 8)
SPACING = (0.7, 0.7, 1.5)
FINDING = LabelSpace(("finding",), ((1,),), exclusive=False)

Mask = NDArray[np.uint8]
Voxel = tuple[int, ...]


def boxes(*corners: tuple[tuple[int, int, int], tuple[int, int, int]]) -> Mask:
    """A mask of boxes: (first voxel, size)."""
    mask = np.zeros(SHAPE, np.uint8)
    for start, size in corners:
        mask[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] = 1
    return mask


EMPTY = boxes()
ONE_VOXEL = boxes(((5, 5, 5), (1, 1, 1)))
CUBE = boxes(((2, 2, 2), (3, 3, 3)))
TWO = boxes(((1, 1, 1), (3, 3, 3)), ((7, 7, 1), (3, 3, 3)))
TOUCHING = boxes(((1, 1, 1), (3, 3, 3)), ((4, 4, 1), (3, 3, 3)))  # by an edge: one for ReX, two for CVPR25
AT_CORNER = boxes(((1, 1, 1), (3, 3, 3)), ((4, 4, 4), (3, 3, 3)))
SHIFTED = boxes(((3, 2, 2), (3, 3, 3)))
FAR = boxes(((6, 2, 2), (3, 3, 3)))
BRIDGED = TWO | boxes(((2, 2, 2), (7, 1, 1)), ((8, 2, 2), (1, 7, 1)))
SPECKS = CUBE | boxes(((8, 8, 1), (3, 3, 1)), ((8, 1, 6), (1, 1, 1)))
HALF = boxes(((2, 2, 2), (3, 3, 1)), ((2, 2, 3), (3, 2, 1)))
MASKS = {
    "empty": EMPTY,
    "one voxel": ONE_VOXEL,
    "cube": CUBE,
    "two": TWO,
    "touching": TOUCHING,
    "at a corner": AT_CORNER,
    "shifted": SHIFTED,
    "far": FAR,
    "bridged": BRIDGED,
    "specks": SPECKS,
    "half": HALF,
}


def split(mask: Mask, most_steps: int) -> list[set[Voxel]]:
    """The components of a mask by flooding; two voxels are neighbours if they differ by 1 along few axes."""
    left, found = {tuple(int(n) for n in voxel) for voxel in np.argwhere(mask)}, []
    for voxel in sorted(left):
        if voxel not in left:
            continue
        left.discard(voxel)
        component, edge = {voxel}, [voxel]
        while edge:
            here = edge.pop()
            near = {v for v in left if max(gaps(here, v)) <= 1 and sum(gaps(here, v)) <= most_steps}
            left -= near
            component |= near
            edge += near
        found.append(component)
    return found


def gaps(one: Voxel, other: Voxel) -> list[int]:
    return [abs(a - b) for a, b in zip(one, other, strict=True)]


def dice_of(one: set[Voxel], other: set[Voxel]) -> float:
    return 2 * len(one & other) / (len(one) + len(other))


def border(component: set[Voxel]) -> NDArray[np.float64]:
    steps = [tuple(sign * (axis == other) for other in range(3)) for axis in range(3) for sign in (-1, 1)]
    points = [v for v in component if any(tuple(np.add(v, step)) not in component for step in steps)]
    return np.array(points) * SPACING


def distance_of(one: set[Voxel], other: set[Voxel], focal: bool) -> float:
    if focal:
        return float(np.linalg.norm(np.mean(list(one), axis=0) * SPACING - np.mean(list(other), axis=0) * SPACING))
    lengths = np.linalg.norm(border(one)[:, None] - border(other)[None], axis=2)
    return float(np.concatenate([lengths.min(axis=1), lengths.min(axis=0)]).mean())


def match_greedily(
    guesses: list[set[Voxel]], truths: list[set[Voxel]], value: Any, is_match: Any
) -> tuple[int, int, int]:
    """Take the best pair again and again, until none may match."""
    guesses, truths, tp = list(guesses), list(truths), 0
    while guesses and truths:
        best = max(((t, g) for t in truths for g in guesses), key=lambda pair: value(pair[1], pair[0]))
        if not is_match(value(best[1], best[0])):
            break
        tp += 1
        truths.remove(best[0])
        guesses.remove(best[1])
    return tp, len(guesses), len(truths)


def rex_of(guess: Mask, truth: Mask, focal: bool) -> dict[str, Any]:
    """The convention of ReXGroundingCT, written from its definition."""
    kept = [one for one in split(guess, 2) if len(one) >= 10]
    truths = split(truth, 2)
    one, other = set().union(*kept), set().union(*truths)
    dice = dice_of(one, other) if one or other else 1.0
    overlap = match_greedily(kept, truths, dice_of, lambda value: value >= 0.2)
    limit = 2 * max(SPACING) + 1e-9
    near = match_greedily(kept, truths, lambda g, t: -distance_of(g, t, focal), lambda value: -value <= limit)
    return dict(zip(REX_FIELDS, (dice, *overlap, *near), strict=True))


def cvpr25_of(guess: Mask, truth: Mask) -> dict[str, Any]:
    """The convention of CVPR25-BiomedSegFM, written from its definition; at IoU 0.5 a match has one partner."""
    guesses, truths = split(guess, 1), split(truth, 1)
    matched, free = [], list(truths)
    for one in guesses:
        for other in free:
            if len(one & other) / len(one | other) >= 0.5:
                matched.append(dice_of(one, other))
                free.remove(other)
                break
    tp = len(matched)
    return dict(zip(CVPR25_FIELDS, (tp, len(guesses) - tp, len(truths) - tp, sum(matched)), strict=True))


def score(guess: Mask, truth: Mask, facts: InstanceFacts | None = None, *conventions: str) -> CaseScore:
    [row] = score_case(
        "a", guess[None], truth[None], FINDING, SPACING, "mm", 2.0, conventions=conventions or (REX,), instances=facts
    )
    return row


@pytest.mark.parametrize("truth", MASKS)
def test_both_scorers_agree_with_their_definitions_on_hand_made_masks(truth: str) -> None:
    for focal, (name, guess) in ((focal, one) for focal in (True, False) for one in MASKS.items()):
        row = score(guess, MASKS[truth], InstanceFacts(focal=focal), REX, CVPR25)
        expected = rex_of(guess, MASKS[truth], focal) | cvpr25_of(guess, MASKS[truth])
        found = {field: getattr(row, field) for field in expected}
        assert found == pytest.approx(expected, abs=1e-6), f"{name} against {truth}, focal: {focal}"


def test_the_empty_masks_have_the_dice_of_each_scorer() -> None:
    both, missed, spurious = score(EMPTY, EMPTY), score(EMPTY, CUBE), score(CUBE, EMPTY)
    assert [row.rex_dice for row in (both, missed, spurious)] == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)
    assert (both.rex_tp, both.rex_fp, both.rex_fn) == (0, 0, 0)
    assert math.isnan(both.dice), "the zoo leaves an absent object out"


def test_numbered_entities_count_and_not_the_components_of_the_label() -> None:
    numbers = TOUCHING.copy()
    numbers[4:7, 4:7, 1:4] *= 7  # any number
    row = score(TOUCHING, TOUCHING, InstanceFacts(numbers=numbers))
    assert (row.rex_tp, row.rex_fp, row.rex_fn) == (1, 0, 1)
    assert score(TOUCHING, TOUCHING).rex_fn == 0, "18 neighbours join the two"
    with pytest.raises(DataError, match="not its label"):
        score(TOUCHING, CUBE, InstanceFacts(numbers=numbers))


def test_a_label_of_objects_has_no_surface_dice_and_a_structure_no_instances() -> None:
    objects = score(CUBE, CUBE, InstanceFacts(objects=True), CVPR25)
    assert (objects.cvpr25_tp, math.isnan(objects.nsd_surfels)) == (1, True)
    structure = score(CUBE, CUBE, InstanceFacts(objects=False), CVPR25)
    assert (structure.cvpr25_tp, structure.nsd_surfels) == (None, 1.0)


def test_distances_are_left_out_where_nobody_says_whether_a_finding_is_focal() -> None:
    assert [getattr(score(CUBE, CUBE), name) for name in REX_DISTANCE] == [None, None, None]


def test_the_fifty_largest_components_of_a_prediction_count() -> None:
    labels = LabelSpace(("finding",), ((1,),))
    guess = np.zeros((60 * 6, 12), np.uint8)
    for number in range(60):
        guess[6 * number : 6 * number + 4, : 3 + (number >= 55)] = 1
    [row] = score_case("a", guess, guess, labels, (1.0, 1.0), "px", 2.0, conventions=[REX])
    assert (row.rex_tp, row.rex_fp, row.rex_fn) == (50, 0, 10)
    assert row.rex_dice == pytest.approx(2 * (45 * 12 + 5 * 16) / (2 * (45 * 12 + 5 * 16) + 10 * 12))
    [row] = score_case("a", guess, guess, labels, (1.0, 1.0), "px", 2.0, conventions=[CVPR25])
    assert row.cvpr25_tp == 60
    assert row.cvpr25_dice_tp == pytest.approx(60)


def test_the_best_pair_is_matched_first_where_more_pairs_could_match() -> None:
    """ReXGroundingCT matches greedily: the best pair leaves two instances without a partner."""
    guess, truth = (np.zeros((1, 60), np.uint8) for _ in range(2))
    guess[0, 0:30], guess[0, 31:60] = 1, 1
    truth[0, 0:10], truth[0, 11:40] = 1, 1  # the first guess overlaps with both, the second with the second
    labels = LabelSpace(("finding",), ((1,),))
    [row] = score_case("a", guess, truth, labels, (1.0, 1.0), "px", 2.0, conventions=[REX])
    assert (row.rex_tp, row.rex_fp, row.rex_fn) == (1, 1, 1)


def test_the_fields_of_the_scorers_are_in_files_where_a_row_has_them(tmp_path: Path) -> None:
    rows = [score(CUBE, CUBE, InstanceFacts(focal=True), REX), score(CUBE, CUBE, None, CVPR25)]
    for row, names in zip(rows, (REX_FIELDS, CVPR25_FIELDS), strict=True):
        write_rows(tmp_path / "cases.csv", [row])
        columns = (tmp_path / "cases.csv").read_text().splitlines()[0].split(",")
        assert [name in columns for name in names] == [True] * len(names)
        assert read_rows(tmp_path / "cases.csv") == [row]


@pytest.mark.parametrize(
    "change", [{"rex_fp": None}, {"rex_tp": -1}, {"rex_tp": 0}, {"rex_dice": 1.5}, {"cvpr25_dice_tp": 0.1}]
)
def test_a_row_whose_instances_contradict_it_is_refused(change: dict[str, Any]) -> None:
    row = score(CUBE, CUBE, None, REX, CVPR25)
    values = {name: getattr(row, name) for name in row.__dataclass_fields__}
    with pytest.raises(ValueError, match=r"rex|cvpr25"):
        CaseScore(**values | change)
