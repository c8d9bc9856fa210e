"""Published numbers have the stated convention, and they are compared with the same convention only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.plan.job import Plan
from benchmarks.storage.stored_plan import store_plan
from benchmarks.tables.published_comparison import compare_with_published, to_markdown
from benchmarks.tables.published_scores import NOT_READ, PER_IMAGE, POOLED, PUBLISHED, PublishedScore, published_on
from tests.helpers.sample_benchmark import job, leaderboard_of, result
from zoo.registry import DATA, MODELS

PAIRED = [number for number in PUBLISHED if number.iou is not None]


@pytest.mark.parametrize("number", PAIRED, ids=lambda number: f"{number.data}-{number.method}-{number.source.key}")
def test_published_dice_and_iou_fit_the_stated_convention(number: PublishedScore) -> None:
    assert number.iou is not None
    share = number.dice / 100
    pooled = 100 * share / (2 - share)
    if number.convention == POOLED:
        assert number.iou == pytest.approx(pooled, abs=0.02)
    else:  # Jensen: the mean of D / (2 - D), which is convex, lies above that of the mean
        assert number.convention == PER_IMAGE
        assert number.iou > pooled + 0.05


def test_every_listed_model_and_data_set_exists() -> None:
    assert {number.data for number in PUBLISHED} <= set(DATA.names())
    assert {number.model for number in PUBLISHED} - {""} <= set(MODELS.names())
    assert set(NOT_READ) <= set(MODELS.names())
    assert not {number.model for number in PUBLISHED} & set(NOT_READ)


def lines_of(size: str, cases: int) -> dict[tuple[str, str], tuple[float | None, tuple[str, ...]]]:
    dices = [0.5 + 0.4 * (i % 2) for i in range(cases)]
    done = [result(job("unet", seed, data="monuseg", size=size), dices) for seed in (0, 1)]
    found = compare_with_published(leaderboard_of(done, []))
    return {
        (line.published.method, line.published.source.key): (line.difference, line.obstacles) for line in found.lines
    }


def test_there_is_a_difference_only_where_convention_images_and_size_agree() -> None:
    difference, obstacles = lines_of("published", 14)["U-Net", "LViT"]
    assert obstacles == ()
    assert difference == pytest.approx(70.0 - 76.45)
    assert lines_of("tiny", 14)["U-Net", "LViT"] == (None, ("size tiny",))
    difference, obstacles = lines_of("published", 6)["U-Net", "LViT"]
    assert difference is None
    assert obstacles == ("14 test images there, 6 here",)
    assert lines_of("published", 14)["LViT-T", "LViT"] == (None, ())  # no such model here: printed, not compared


def test_pooled_numbers_are_compared_with_pooled_numbers() -> None:
    done = [result(job("unet", data="qata_cov19", size="published"), [0.4] * 1000 + [0.9] * 1113)]
    found = {
        line.published.convention: line
        for line in compare_with_published(leaderboard_of(done, [])).lines
        if line.ours is not None and not line.published.source.rerun
    }
    row = found[POOLED].ours
    assert row is not None
    assert row.dice_global is not None
    assert row.dice is not None
    assert found[POOLED].difference == pytest.approx(100 * row.dice_global - 82.99)
    assert found[PER_IMAGE].difference == pytest.approx(100 * row.dice - 79.02)


def test_models_and_data_without_published_numbers_are_listed() -> None:
    done = [result(job("bipvl", 0, "class"), [0.7], [0.5], [0.2])]
    found = compare_with_published(leaderboard_of(done, []))
    assert found.lines == ()
    assert found.unknown == ("hippocampus",)
    text = to_markdown(found)
    assert "No published number is readable for bipvl: BiPVL-Seg" in text
    assert "No published number is listed for hippocampus." in text


def test_the_command_prints_published_numbers_before_any_job_has_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_plan(tmp_path, Plan((job("unet", data="qata_cov19"),)))
    assert main(["compare", str(tmp_path)]) == 0
    assert "| qata_cov19 | LanGuideMedSeg | 89.78 | dice pooled |" in capsys.readouterr().out
    assert main(["compare", str(tmp_path), "--format", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert len(content["lines"]) == len(published_on("qata_cov19"))
    assert main(["compare", str(tmp_path / "nowhere")]) == 2
