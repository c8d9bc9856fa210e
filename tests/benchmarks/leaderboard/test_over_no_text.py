"""`Over no_text`: what text brings in one network, paired over seeds and subjects, or the reason why it is empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.storage.results import JobResult
from benchmarks.tables.writers import to_markdown
from tests.helpers.sample_benchmark import job, leaderboard_of, result, variant

FULL = {0: [0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 1: [0.8] * 6}
WITHOUT = {0: [0.8, 0.6, 0.6, 0.4, 0.4, 0.2], 1: [0.75] * 6}


def full(seed: int, dices: Sequence[float] | None = None, **facts: Any) -> JobResult:
    return result(job("bipvl", seed, "class"), *[dices or FULL[seed]] * 3, **facts)


def no_text(seed: int, dices: Sequence[float] | None = None, **facts: Any) -> JobResult:
    return result(variant("no_text", seed), *[dices or WITHOUT[seed]] * 3, **facts)


def row_of(*results: JobResult) -> LeaderboardRow:
    return next(row for row in leaderboard_of(results).rows if row.model == "bipvl" and not row.variant)


def test_the_value_is_the_mean_over_seeds_of_the_difference_to_the_own_no_text() -> None:
    row = row_of(full(0), full(1), no_text(0), no_text(1))
    assert row.over_no_text == pytest.approx(0.10)  # 0.65 - 0.5 = 0.15 for seed 0, 0.8 - 0.75 = 0.05 for seed 1
    assert row.over_no_text_std == pytest.approx(0.1 / 2**0.5)
    assert (row.over_no_text_seeds, row.over_no_text_note) == (2, "")
    assert row.over_no_text_low is not None
    assert row.over_no_text_high is not None
    # per subject (0.1 + 0.05) / 2 or (0.2 + 0.05) / 2: no draw of subjects leaves this range
    assert 0.075 <= row.over_no_text_low < 0.1 < row.over_no_text_high <= 0.125


def test_the_test_is_paired_over_subjects_and_corrected_over_the_rows_that_have_a_no_text() -> None:
    others = [result(job("film", 0, "class"), *[FULL[0]] * 3)]
    same = replace(variant("no_text", 0), model="film")
    rows = [full(0), full(1), no_text(0), no_text(1), *others, result(same, *[FULL[0]] * 3)]
    (group,) = leaderboard_of([*rows, result(job("unet", 0), FULL[0])]).groups
    by_name = {one.label.partition(" ")[0]: one for one in group.ranking.rows}
    bipvl, film, unet = (by_name[name] for name in ("bipvl", "film", "unet"))
    # six differences of one sign: 2 of 2^6 assignments of signs are as extreme
    assert (bipvl.over_no_text_p, bipvl.over_no_text_pairs, bipvl.over_no_text_effect) == (2 / 64, 6, 1.0)
    assert bipvl.over_no_text_p_holm == 2 * 2 / 64
    assert (film.over_no_text, film.over_no_text_p, film.over_no_text_p_holm) == (0.0, 1.0, 1.0)
    assert (unet.over_no_text, unet.over_no_text_p, unet.over_no_text_pairs) == (None, None, None)


def test_only_the_seeds_that_both_have_are_compared() -> None:
    row = row_of(full(0), full(1), no_text(1))
    assert row.over_no_text == pytest.approx(0.05)
    assert (row.over_no_text_std, row.over_no_text_seeds) == (None, 1)
    assert row.over_no_text_note == "over 1 of 2 seeds"


@pytest.mark.parametrize(
    ("others", "note"),
    [
        ([], "no row of the variant"),
        (
            [JobResult(variant("no_text", 0), "failed", "killed")],
            "its `no_text` is failed: 0 of 1 seeds: seed 0 failed",
        ),
        ([no_text(0, split_hash="other")], "its `no_text` is refused: not comparable with the full method"),
        ([no_text(0, [0.5] * 5)], "its `no_text` is refused: not comparable with the full method"),
        (
            [no_text(0, training={"lr": 0.001})],
            "its `no_text` was trained otherwise: lr 0.001, not None",
        ),
        ([no_text(1)], "no seed that both have"),
        (
            [result(variant("no_text", 0, changes=(("lr", "1"), ("use_text", "false"))), *[WITHOUT[0]] * 3)],
            "its `no_text` changes lr=1, use_text=false, not use_text=false alone",
        ),
    ],
)
def test_a_missing_pair_leaves_the_value_empty_with_its_reason(others: list[JobResult], note: str) -> None:
    row = row_of(full(0), *others)
    assert (row.over_no_text, row.over_no_text_low, row.over_no_text_seeds) == (None, None, None)
    assert row.over_no_text_note.startswith(note)


def test_an_unfinished_model_has_no_value() -> None:
    row = row_of(JobResult(job("bipvl", 0, "class"), "running"), no_text(0))
    assert (row.over_no_text, row.over_no_text_note) == (None, "the row has no Dice (incomplete)")


def test_a_model_without_text_has_no_value_and_needs_no_reason() -> None:
    (row,) = leaderboard_of([result(job("unet"), [0.5])]).rows
    assert (row.over_no_text, row.over_no_text_note) == (None, "")


def test_tables_have_the_column_and_name_the_missing_values() -> None:
    film = result(job("film", 0, "class"), *[FULL[0]] * 3)
    board = leaderboard_of([full(0), no_text(0), film, result(job("unet"), FULL[0])])
    text = to_markdown(board)
    assert "| Over no_text |" in text
    assert "+0.150" in text
    assert "Over no_text: no row of the variant [film (tiny)]" in text
    assert "Over no_text" not in to_markdown(leaderboard_of([full(0), result(job("unet"), FULL[0])]))
