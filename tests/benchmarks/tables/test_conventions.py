"""Each convention agrees with its library (MONAI, torchmetrics, medpy), also where a mask is empty."""

from __future__ import annotations

import csv
import io
import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from medpy.metric.binary import hd95 as medpy_hd95
from monai.metrics import DiceMetric, compute_hausdorff_distance
from numpy.typing import NDArray
from surface_distance import metrics as deepmind
from torchmetrics.functional.classification import binary_f1_score, binary_jaccard_index

from benchmarks.cli import main
from benchmarks.plan.job import Plan
from benchmarks.storage import layout
from benchmarks.storage.results import Control, TestScores
from benchmarks.storage.stored_plan import store_plan
from benchmarks.tables.columns import rows_as_dicts
from benchmarks.tables.conventions import CONVENTIONS, find_convention, rescore, write_convention
from benchmarks.tables.writers import FORMATS
from tests.helpers.sample_benchmark import FACTS, job, leaderboard_of, result
from zoo.errors import RunError, UnknownNameError
from zoo.metrics.case_scores import CaseScore, write_rows
from zoo.metrics.conventions import CONVENTIONS as SCORERS
from zoo.metrics.scoring import score_case
from zoo.types import InstanceFacts, LabelSpace

Masks = NDArray[np.uint8]
FOREGROUND = ("dice-per-image-foreground-only", "dice-per-case-foreground-only", "cvpr25-dice", "cvpr25-nsd")
LABELS = LabelSpace(("lesion",), ((1,),), exclusive=False)
VOXEL = 2.0


def masks() -> list[tuple[Masks, Masks]]:
    """Return (prediction, label) of six cases: three found objects, one missed, one spurious, one absent."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(3):
        truth, guess = np.zeros((2, 24, 24), np.uint8)
        y, x, dy, dx = rng.integers(3, 9, 4)
        truth[y : y + dy, x : x + dx] = 1
        guess[y + 2 : y + dy + 4, x : x + dx] = 1
        guess[0, 0] = 1
        found.append((guess, truth))
    empty, full = np.zeros((24, 24), np.uint8), found[0][1]
    return [*found, (empty, full), (full, empty), (empty, empty)]


def scored(spacing: tuple[float, ...] = (VOXEL, VOXEL), conventions: Sequence[str] = SCORERS) -> TestScores:
    rows: list[CaseScore] = []
    for number, (guess, truth) in enumerate(masks()):
        case = (f"c{number}", guess[None], truth[None], LABELS, spacing, "mm", 2.0)
        rows += score_case(*case, conventions=conventions, instances=InstanceFacts(focal=True))
    return TestScores(tuple(rows), {"spacing": {row.case_id: list(spacing) for row in rows}})


def value(name: str, test: TestScores | None = None) -> float:
    found, _, _ = rescore(find_convention(name), test or scored())
    assert found is not None
    return found


def stacked() -> tuple[torch.Tensor, torch.Tensor]:
    """Return predictions and labels as tensors [6, 1, H, W]."""
    guesses, truths = zip(*masks(), strict=True)
    return torch.from_numpy(np.stack(guesses))[:, None], torch.from_numpy(np.stack(truths))[:, None]


def test_dice_over_labelled_and_over_all_images_agrees_with_monai() -> None:
    guess, truth = stacked()
    for name, ignore in (("dice-per-image-foreground-only", True), ("dice-empty-is-one", False)):
        metric = DiceMetric(include_background=True, reduction="mean", ignore_empty=ignore)
        metric(guess, truth)
        assert value(name) == pytest.approx(float(metric.aggregate()), abs=1e-6)


def counted(tp: int, fn: int, case_id: str = "a", label: str = "lesion") -> CaseScore:
    """Return a row whose Dice is 2 tp / (2 tp + fn)."""
    return replace(scored().rows[0], tp=tp, fp=0, fn=fn, dice=2 * tp / (2 * tp + fn), case_id=case_id, label=label)


def test_a_hit_is_a_dice_at_the_threshold_or_two_empty_masks() -> None:
    absent = scored().rows[5]
    assert absent.status == "absent"
    test = TestScores((counted(1, 18), counted(1, 19), counted(1, 38), absent))
    assert rescore(find_convention("hit-0.1"), test)[0] == pytest.approx(2 / 4)
    assert rescore(find_convention("hit-0.05"), test)[0] == pytest.approx(4 / 4)


def test_a_mean_per_case_weighs_cases_and_not_classes() -> None:
    rows = (
        counted(1, 0, case_id="a", label="liver"),
        counted(1, 8, case_id="a", label="spleen"),
        counted(1, 3, case_id="b", label="liver"),
    )
    assert rescore(find_convention("dice-per-case-foreground-only"), TestScores(rows))[0] == pytest.approx(0.5)
    assert rescore(find_convention("dice-per-image-foreground-only"), TestScores(rows))[0] == pytest.approx(0.45)


def test_global_scores_agree_with_torchmetrics_over_all_pixels() -> None:
    guess, truth = stacked()
    assert value("dice-global") == pytest.approx(float(binary_f1_score(guess.flatten(), truth.flatten())), abs=1e-6)
    iou = float(binary_jaccard_index(guess.flatten(), truth.flatten()))
    assert value("iou-global") == pytest.approx(iou, abs=1e-6)
    dice = value("dice-global")
    assert value("iou-global") == pytest.approx(dice / (2 - dice))  # the identity that tells global from per image
    assert value("iou-per-image") != pytest.approx(value("dice-empty-is-one") / (2 - value("dice-empty-is-one")))


def test_hd95_in_voxels_without_missed_objects_agrees_with_monai() -> None:
    guess, truth = stacked()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty masks
        distances = compute_hausdorff_distance(guess, truth, include_background=True, percentile=95).flatten()
    kept = distances[torch.isfinite(distances)]
    assert len(kept) == 3
    assert value("hd95-px-drop-missed") == pytest.approx(float(kept.mean()), abs=1e-5)
    assert value("hd95-drop-missed") == pytest.approx(VOXEL * float(kept.mean()), abs=1e-5)


def test_pooled_hd95_in_voxels_agrees_with_medpy() -> None:
    expected = np.mean([medpy_hd95(guess, truth) for guess, truth in masks()[:3]])
    assert value("hd95-pooled-px-drop-missed") == pytest.approx(expected)


def test_scores_by_surface_distance_agree_with_the_package() -> None:
    found = []
    for guess, truth in masks()[:3]:
        distances = deepmind.compute_surface_distances(truth > 0, guess > 0, (VOXEL, VOXEL))
        hd95 = deepmind.compute_robust_hausdorff(distances, 95)
        found.append((hd95, deepmind.compute_surface_dice_at_tolerance(distances, 2.0)))
    hd95, nsd = np.sum(found, axis=0).tolist()
    assert value("hd95-surface-distance-drop-missed") == pytest.approx(hd95 / 3)
    assert value("nsd-surface-distance") == pytest.approx(nsd / 5)  # the missed and the spurious object have 0


def test_rows_that_were_not_scored_by_a_convention_say_how_to_get_it() -> None:
    for name, scorer in (
        ("hd95-surface-distance-drop-missed", "surface-distance"),
        ("nsd-surface-distance", "surface-distance"),
        ("rex-f1", "rexgroundingct"),
        ("cvpr25-dice", "cvpr25"),
    ):
        with pytest.raises(RunError, match=rf"case c0 was not scored by {scorer}; .*--convention {scorer}"):
            value(name, scored(conventions=()))


def test_the_nsd_of_a_challenge_is_the_surface_dice_of_the_objects_in_the_label() -> None:
    [*found, missed, _, _] = scored().rows
    assert value("cvpr25-nsd") == pytest.approx(sum(row.nsd_surfels for row in (*found, missed)) / 4)
    assert value("cvpr25-dice") == value("dice-per-case-foreground-only")


@pytest.mark.parametrize("name", sorted(CONVENTIONS))
def test_the_scored_and_the_dropped_pairs_are_counted(name: str) -> None:
    _, kept, left_out = rescore(CONVENTIONS[name], scored())
    by_scorers = [one for one in CONVENTIONS if one.startswith(("rex-", "cvpr25-")) and one not in FOREGROUND]
    labelled = dict.fromkeys(FOREGROUND, 4)
    every = dict.fromkeys(("dice-empty-is-one", "hit-0.1", "hit-0.05", *by_scorers), 6)
    expected = (labelled | every).get(name, 3 if "hd95" in name else 5)
    assert (kept, left_out) == (expected, 6 - expected)


def older(found: TestScores) -> TestScores:
    """Return the same scores as an older version wrote them, without distances in voxels."""
    bare = (replace(row, hd95_voxels=math.nan, hd95_pooled_voxels=math.nan) for row in found.rows)
    return TestScores(tuple(bare), found.about)


def test_anisotropic_voxels_have_their_own_distances() -> None:
    flat = scored((3.0, 1.0))
    assert value("hd95-px-drop-missed", flat) == pytest.approx(value("hd95-px-drop-missed"))
    with pytest.raises(RunError, match="voxels of 3 x 1 mm and no recorded distances in voxels"):
        value("hd95-px-drop-missed", older(flat))


def test_rows_of_an_older_version_are_divided_by_their_spacing() -> None:
    assert value("hd95-px-drop-missed", older(scored())) == pytest.approx(value("hd95-px-drop-missed"))
    unknown = TestScores(older(scored()).rows)
    with pytest.raises(RunError, match="spacing of case c0 was not recorded"):
        value("hd95-px-drop-missed", unknown)
    pixels = TestScores(tuple(replace(row, unit="px") for row in unknown.rows))
    assert value("hd95-px-drop-missed", pixels) == value("hd95-drop-missed", pixels)


def test_without_a_found_object_there_is_no_distance() -> None:
    missed = TestScores(scored().rows[3:4])
    assert rescore(CONVENTIONS["hd95-drop-missed"], missed) == (None, 0, 1)
    assert rescore(CONVENTIONS["dice-global"], TestScores(scored().rows[5:])) == (None, 0, 1)


def test_a_table_in_another_convention_names_it_in_every_format() -> None:
    facts: dict[str, Any] = {"split_hash": "abc", "metric_version": "1"}
    runs = [replace(result(job("unet", seed), [0.5]), tests={"test": scored()}) for seed in (0, 1)]
    control = Control("empty", "hippocampus", **facts, scores=TestScores(scored().rows))
    table = leaderboard_of(
        [*runs, result(job("other", 0), [0.5]), replace(runs[0], job=job("x", 0), state="failed")], [control]
    )
    text = write_convention(table, "md", "hd95-px-drop-missed")
    assert text.startswith("### hippocampus, text track: none: hd95-px-drop-missed\n")
    assert "| unet (tiny) |  | none | 0.274 | 4.13 ± 0.00 | 6 | 6 |" in text
    assert "| *control:empty* |  | none | 0.274 | 4.13 | 3 | 3 |" in text
    assert "- x (tiny): 0 of 1 seeds: seed 0 failed" in text
    assert "- other (tiny): the spacing of case c0 was not recorded" in text
    assert "**" not in text
    rows = list(csv.DictReader(io.StringIO(write_convention(table, "csv", "dice-global"))))
    assert {one["protocol"] for one in rows} == {"dice-global"}
    loaded = json.loads(write_convention(table, "json", "dice-global"))
    assert loaded["rows"][0]["value"] == pytest.approx(float(rows[0]["value"]))
    assert "not comparable with the leaderboard" in write_convention(table, "latex", "dice-global")


def test_the_leaderboard_has_the_means_of_a_scorer_where_models_were_scored_by_it() -> None:
    runs = [replace(result(job("unet", seed), [0.5]), tests={"test": scored()}) for seed in (0, 1)]
    control = Control("empty", "hippocampus", split_hash="abc", metric_version="1", scores=TestScores(scored().rows))
    table = leaderboard_of(runs, [control])
    [row, of_control] = rows_as_dicts(table)
    for key in ("rex_hit", "rex_distance_f1", "cvpr25_nsd", "cvpr25_f1"):
        assert row[key] == of_control[key] == pytest.approx(value(key.replace("_", "-")))
    assert "| ReX F1 |" in FORMATS["md"](table)
    table = leaderboard_of([result(job("unet", 0), [0.5])], [control])
    assert "ReX" not in FORMATS["md"](table), "a control has the scores of every convention"


def test_the_command_writes_each_table_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = job("unet", 0)
    store_plan(tmp_path, Plan((one,)))
    run = layout.job_folder(tmp_path, one.id)
    layout.write_json(run / "manifest.json", FACTS)
    layout.write_json(run / "test" / "about.json", dict(scored().about) | {"metric_version": "1"})
    write_rows(run / "test" / "cases.csv", scored().rows)
    out = tmp_path / "table.txt"
    for form in sorted(FORMATS):
        for more in ([], ["--stats"], ["--per-class"], ["--protocol", "dice-global"], ["--test", "permutation"]):
            assert main(["table", str(tmp_path), "--format", form, *more]) == 0
            shown = capsys.readouterr().out
            assert main(["table", str(tmp_path), "--format", form, *more, "--out", str(out)]) == 0
            assert (out.read_text(encoding="utf-8"), capsys.readouterr().out) == (shown, "")
    for wrong, message in (
        (["--protocol", "dice-globl"], "Did you mean dice-global"),
        (["--protocol", "dice-global", "--stats"], "a table of its own"),
        (["--format", "csv", "--stats", "--per-class"], "a CSV holds one table"),
        (["--out", str(out / "where.md")], "cannot be written"),
    ):
        assert main(["table", str(tmp_path), *wrong]) == 2
        assert message in capsys.readouterr().err
    with pytest.raises(UnknownNameError):
        find_convention("hd95")
