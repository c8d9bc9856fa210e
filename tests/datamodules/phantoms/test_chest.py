"""The generator of the chest phantom, and the largest expected Dice without its text."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from datamodules.phantoms.chest import (
    ZONES,
    ChestCase,
    complement_report,
    draw_chest,
    draw_report,
    expected_dice,
    find_best_choice,
    list_subsets,
    text_free_bound,
    write_report,
)

WORDS = {"target", "lesions", "in", "the", "left", "right", "upper", "middle", "lower", "zone", "and"}


@pytest.fixture(scope="module")
def cases() -> list[ChestCase]:
    return [draw_chest(0, "test", index, size=64) for index in range(200)]


def digest(case: ChestCase) -> str:
    return hashlib.sha256(case.image.tobytes() + case.lesions.tobytes() + case.report.encode()).hexdigest()


def test_same_pixels_in_another_process_with_other_thread_counts() -> None:
    code = (
        "import hashlib; from datamodules.phantoms.chest import draw_chest; c = draw_chest(3, 'val', 7, 48);"
        "d = hashlib.sha256(c.image.tobytes() + c.lesions.tobytes() + c.report.encode()); "
        "import sys; sys.stdout.write(d.hexdigest())"
    )
    env = os.environ | {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3", "PYTHONHASHSEED": "5"}
    other = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert other.stdout == digest(draw_chest(3, "val", 7, 48))


def test_each_of_seed_split_and_index_changes_the_case() -> None:
    keys = [(0, "test", 0), (1, "test", 0), (0, "val", 0), (0, "test", 1)]
    assert len({digest(draw_chest(*key)) for key in keys}) == len(keys)


def test_a_case_has_its_shapes_and_types(cases: list[ChestCase]) -> None:
    for case in cases:
        assert case.image.dtype == np.float32
        assert case.image.shape == case.label.shape == (64, 64)
        assert 0 <= case.image.min() < case.image.max() <= 1
        assert 2 <= len(case.zones) == len(case.lesions) == len(case.in_report) <= 4
        assert len(set(case.zones)) == len(case.zones)
        assert case.lesions.sum(axis=0).max() == 1, "lesions overlap"
        assert 0 < sum(case.in_report) < len(case.in_report)


def test_lesions_are_in_their_zone_of_the_image(cases: list[ChestCase]) -> None:
    for case in cases:
        for zone, lesion in zip(case.zones, case.lesions, strict=True):
            side, level, _ = zone.split()
            row, column = (axis.mean() / 64 for axis in np.nonzero(lesion))
            assert side == ("left" if column < 0.5 else "right")
            assert level == ("upper" if row < 0.36 else "middle" if row < 0.64 else "lower")


def test_the_report_names_exactly_the_lesions_of_the_mask(cases: list[ChestCase]) -> None:
    for case in cases:
        zones = {zone for zone in ZONES if zone in case.report}
        assert zones == {zone for zone, named in zip(case.zones, case.in_report, strict=True) if named}
        meant = np.zeros((64, 64), bool)
        for zone, lesion in zip(case.zones, case.lesions, strict=True):
            meant |= lesion & (zone in zones)
        np.testing.assert_array_equal(case.label, meant)
        assert set(case.report.lower().strip(".").split()) <= WORDS


def test_a_report_has_one_grammatical_form() -> None:
    assert write_report(ZONES, [True] + 5 * [False]) == "Target lesions in the left upper zone."
    both = write_report((ZONES[0], ZONES[3], ZONES[5]), (True, False, True))
    assert both == "Target lesions in the left upper zone and the right lower zone."


def test_a_report_can_be_drawn_without_pixels(cases: list[ChestCase]) -> None:
    assert [draw_report(0, "test", index) for index in range(len(cases))] == [case.report for case in cases]


def test_the_complementary_report_names_the_other_lesions_of_the_image(cases: list[ChestCase]) -> None:
    for index, case in enumerate(cases[:20]):
        other = complement_report(case)
        assert other.report == draw_report(0, "test", index, complement=True) != case.report
        np.testing.assert_array_equal(other.image, case.image)
        np.testing.assert_array_equal(other.label + case.label, case.lesions.any(axis=0))
        assert other.label.any()
        assert complement_report(other).report == case.report


def test_lesions_in_the_report_look_like_the_others(cases: list[ChestCase]) -> None:
    """Area and brightness have the same mean in both groups, within 4 standard errors of the difference."""
    facts: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for case in cases:
        for lesion, named in zip(case.lesions, case.in_report, strict=True):
            facts[named].append((float(lesion.sum()), float(case.image[lesion].mean())))
    named_facts, other = np.array(facts[True]), np.array(facts[False])
    error = np.sqrt(named_facts.var(axis=0) / len(named_facts) + other.var(axis=0) / len(other))
    assert (np.abs(named_facts.mean(axis=0) - other.mean(axis=0)) < 4 * error).all()


def test_subsets_are_drawn_uniformly() -> None:
    """Chi-square test of the subset among 3 lesions: 5 degrees of freedom, p = 0.001 at 20.5."""
    drawn = [draw_chest(1, "law", index, size=8) for index in range(1200)]
    counts = Counter(case.in_report for case in drawn if len(case.in_report) == 3)
    assert len(counts) == len(list_subsets(3)) == 6
    expected = sum(counts.values()) / 6
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 20.5


def test_zones_and_numbers_are_all_drawn(cases: list[ChestCase]) -> None:
    assert {zone for case in cases for zone in case.zones} == set(ZONES)
    assert {len(case.zones) for case in cases} == {2, 3, 4}


def test_a_case_is_the_same_at_every_size() -> None:
    small, large = draw_chest(0, "test", 5, 64), draw_chest(0, "test", 5, 128)
    assert (small.zones, small.in_report, small.report) == (large.zones, large.in_report, large.report)
    shares, same = (case.lesions.mean(axis=(1, 2)) for case in (small, large))
    np.testing.assert_allclose(shares, same, rtol=0.06)


@pytest.mark.parametrize(
    ("areas", "choice", "dice"),
    [
        ((9, 9), (True, True), 2 / 3),  # either truth: 2*9 / (18 + 9)
        ((9, 9), (True, False), 1 / 2),  # right or completely wrong
        ((9, 9), (False, False), 0),
        ((5, 5, 5), (True, True, True), (3 * 1 / 2 + 3 * 4 / 5) / 6),  # singles 2/4, pairs 4/5
        ((5, 5, 5), (True, True, False), (2 * 2 / 3 + 0 + 1 + 2 * 2 / 4) / 6),
        ((1, 3), (True, True), (2 * 1 / 5 + 2 * 3 / 7) / 2),
        ((1, 3), (False, True), 1 / 2),
    ],
)
def test_expected_dice_by_hand(areas: tuple[int, ...], choice: tuple[bool, ...], dice: float) -> None:
    assert expected_dice(areas, choice) == pytest.approx(dice)


@pytest.mark.parametrize(
    ("areas", "dice"),
    [
        ((9, 9), 2 / 3),
        ((5, 5, 5), 0.65),
        ((2, 2, 2, 2), (4 * 2 / 5 + 6 * 2 / 3 + 4 * 6 / 7) / 14),
        ((1, 100), (2 / 102 + 200 / 201) / 2),  # better than only the large lesion, which is right in half of the cases
    ],
)
def test_best_choice_by_hand(areas: tuple[int, ...], dice: float) -> None:
    best, choice = find_best_choice(areas)
    assert best == pytest.approx(dice)
    assert all(choice)


def test_the_bound_is_near_two_thirds(cases: list[ChestCase]) -> None:
    assert 0.62 < text_free_bound(cases) < 0.68
    choices = [find_best_choice([int(lesion.sum()) for lesion in case.lesions])[1] for case in cases]
    assert all(all(choice) for choice in choices), "the best choice is to segment every lesion"


def test_no_text_free_mask_beats_the_bound_in_expectation(cases: list[ChestCase]) -> None:
    """Any mask that is made without the text, also with parts of lesions and background, stays below the bound."""
    rng = np.random.default_rng(0)
    for case in cases[:60]:
        areas = case.lesions.sum(axis=(1, 2))
        bound, _ = find_best_choice([int(area) for area in areas])
        truths = [case.lesions[truth].any(axis=0) for truth in list_subsets(len(areas))]
        for _ in range(20):
            kept = rng.uniform(size=len(areas)) ** rng.choice([0.1, 1.0, 4.0])
            mask = (case.lesions & (rng.uniform(size=case.lesions.shape) < kept[:, None, None])).any(axis=0)
            mask |= (rng.uniform(size=mask.shape) < 0.01) & (rng.uniform() < 0.5)
            dice = [2 * (mask & truth).sum() / (mask.sum() + truth.sum()) for truth in truths]
            assert np.mean(dice) <= bound + 1e-12


def test_no_drawn_guess_beats_the_bound_beyond_sampling_error(cases: list[ChestCase]) -> None:
    """Compared with the drawn reports: random choices stay below the bound, and all lesions come near it."""
    rng = np.random.default_rng(1)
    bound = text_free_bound(cases)

    def score(case: ChestCase, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
        mask, truth = case.lesions[chosen].any(axis=0), case.label > 0
        return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))

    every = np.array([score(case, np.ones(len(case.in_report), bool)) for case in cases])
    error = every.std() / np.sqrt(len(every))
    assert abs(every.mean() - bound) < 4 * error
    for _ in range(20):
        guess = np.array([score(case, rng.uniform(size=len(case.in_report)) < 0.7) for case in cases])
        assert guess.mean() < bound + 4 * guess.std() / np.sqrt(len(guess))
