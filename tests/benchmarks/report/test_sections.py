"""The sections of a report: their statistics, and sections of own data, recipes and folds."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.leaderboard.leaderboard import RankingGroup, make_leaderboard
from benchmarks.plan.job import Settings
from benchmarks.report.page import render
from benchmarks.report.plots import draw_curves
from benchmarks.report.sections import Section, make_report
from benchmarks.storage import layout
from benchmarks.storage.results import read_benchmark
from benchmarks.tables.columns import ROW_COLUMNS
from tests.helpers.made_up_benchmark import benchmark
from tests.helpers.sample_benchmark import job
from tests.helpers.sealed_runs import seal_controls, write_test
from zoo.metrics.case_scores import read_rows, write_rows

LABELS = ("anterior", "posterior")
RECIPES = [("unet", "equal"), ("unet", "published")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a benchmark of two models with two seeds."""
    jobs = [job(model, seed, track) for model, track in (("unet", "none"), ("bipvl", "class")) for seed in (0, 1)]
    return benchmark(tmp_path_factory.mktemp("bench"), jobs, LABELS)


@pytest.fixture(scope="module")
def section(folder: Path) -> Section:
    return make_report(read_benchmark(folder)).sections[0]


@pytest.fixture(scope="module")
def group(folder: Path) -> RankingGroup:
    return make_leaderboard(read_benchmark(folder)).groups[0]


def test_the_page_has_the_same_statistics_as_the_table(section: Section, group: RankingGroup) -> None:
    """The page has the numbers of `zoo bench table --stats`."""
    best, other = group.ranking.rows
    assert other.worse, "the unet differs from the best on every case"
    assert section.statistics is not None
    sheet = {column.title: count for count, column in enumerate(section.statistics.columns)}
    ((_, lines),) = section.statistics.groups
    assert [line.head for line in lines] == [best.label, other.label]
    assert lines[1].cells[sheet["Δ best"]].text == f"{other.delta:+.3f}"
    assert lines[1].cells[sheet["Δ best"]].value == pytest.approx(other.delta, abs=5e-4)
    holm = lines[1].cells[sheet["p (Holm)"]]
    assert holm.text == "< 0.001"
    assert holm.value == pytest.approx(other.p_holm, rel=1e-5)
    assert lines[0].cells[sheet["95 % CI"]].text == f"[{best.dice_low:.3f}, {best.dice_high:.3f}]"
    heads = [column.title for column in section.leaderboard.columns]
    ranked = section.leaderboard.groups[0][1]
    assert [line.cells[heads.index("Dice")].marked for line in ranked] == [False, True]
    assert section.wins is not None
    assert [line.head for line in section.wins.groups[0][1]] == ["1 bipvl (tiny)", "2 unet (tiny)"]
    assert [[cell.text for cell in line.cells] for line in section.wins.groups[0][1]] == [["", "100 %"], ["0 %", ""]]
    gap = f"{-other.delta_high:.3f} to {-other.delta_low:.3f}" if other.delta_high and other.delta_low else ""
    assert f"above unet (tiny) (95 % CI {gap}, p < 0.001), and above the best control" in section.lead


def test_each_text_has_its_dice_and_the_gain_its_interval(section: Section, group: RankingGroup) -> None:
    row = next(row for row in group.ranked if row.model == "bipvl")
    assert section.text is not None
    assert [column.title for column in section.text.columns] == [
        *("True", "Shuffled", "Blank", "Names", "Text gain", "95 % CI")
    ]
    (line,) = section.text.groups[0][1]
    assert row.text_gain_low is not None
    assert row.text_gain_high is not None
    assert [cell.value for cell in line.cells] == pytest.approx(
        [row.dice, row.dice_shuffled, row.dice_blank, row.dice_names, row.text_gain, row.text_gain_low], abs=5e-4
    )
    assert line.cells[-1].text == f"[{row.text_gain_low:+.3f}, {row.text_gain_high:+.3f}]"


def test_each_ranked_row_has_its_dice_by_the_size_of_the_object(section: Section, group: RankingGroup) -> None:
    assert section.sizes is not None
    assert [column.title for column in section.sizes.columns] == ["Dice", "Dice small", "Dice medium", "Dice large"]
    found = [[cell.value for cell in line.cells] for line in section.sizes.groups[0][1]]
    due = [[row.dice, row.dice_small, row.dice_medium, row.dice_large] for row in group.ranked]
    assert found == [pytest.approx(values, abs=5e-4) for values in due]
    assert all(row.dice_small is not None for row in group.ranked)


def test_the_unfolded_table_has_the_columns_of_the_csv(section: Section) -> None:
    heads = [column.title for column in section.all_columns.columns]
    assert set(heads) < {column.key for column in ROW_COLUMNS}
    assert {"dice_low", "text_gain_high", "cases_hash"} < set(heads)


def test_models_that_print_alike_are_best_together(tmp_path: Path) -> None:
    """The folder has the scores alone, without pictures."""
    out = benchmark(tmp_path / "bench", [job("unet", 0), job("tmca", 0)], LABELS)
    run, other = (layout.job_folder(out, job(model, 0).id) for model in ("unet", "tmca"))
    write_test(other, "test", read_rows(run / "test" / "cases.csv"))
    for overlays in out.glob("results/*/test/overlays"):
        shutil.rmtree(overlays)
    report = make_report(read_benchmark(out))
    assert report.sections[0].lead.startswith("tmca (tiny) and unet (tiny) have the highest Dice, 0.")
    assert ", and are above the best control" in report.sections[0].lead
    assert "have the highest Dice" in render(report)


@pytest.mark.parametrize("last", [1, 3, 40])
def test_the_ticks_of_a_curve_are_whole_epochs(last: int) -> None:
    entry: Any = SimpleNamespace(name="unet (tiny)", place=0)
    curve = [(float(epoch), 0.5) for epoch in range(1, last + 1)]
    svg = draw_curves([(entry, [curve])], "Training loss", "k")
    ticks = re.findall(r"<text[^>]*>([^<]*)<", str(svg).split(">epoch<")[0])
    assert all(tick.isdecimal() for tick in ticks)
    assert len(ticks) == 1 if last == 1 else len(ticks) > 2


def test_own_data_has_its_title_its_runs_and_its_controls(tmp_path: Path) -> None:
    """Tables show the title of own data; folders, controls and costs use the name of its kind."""
    own = job("unet", 0, data="image_text_folder", overrides=(("data.title", "Ours"),))
    out = benchmark(tmp_path, [own], LABELS)
    (section,) = make_report(read_benchmark(out)).sections
    assert section.title == "Ours (image_text_folder)"
    assert len(section.models) == len(section.galleries) == 1
    assert ", and is above the best control (mean-shape, 0.400)" in section.lead
    assert [line.head for line in section.classes[0].groups[-1][1]] == ["all-background", "mean-shape"]


def test_equal_and_published_recipes_are_two_sections(tmp_path: Path) -> None:
    own = [job(model, 0, settings=Settings("tiny", recipe=recipe)) for model, recipe in RECIPES]
    out = benchmark(tmp_path, own, LABELS)
    equal, published = make_report(read_benchmark(out)).sections
    assert (equal.about, published.about) == ("text track: none", "text track: none, published recipes")
    for section in (equal, published):
        assert [[run[0] for run in section.models]] == [["unet (tiny)"]]
    assert published.warnings == (*equal.warnings, "each model has the budget of its own published recipe")


def test_a_row_over_folds_has_all_its_runs(tmp_path: Path) -> None:
    halves = [job("unet", 0, fold=fold, folds=2) for fold in (0, 1)]
    out = benchmark(tmp_path, halves, LABELS)
    for fold, half in enumerate(halves):
        run, target = layout.job_folder(out, half.id), layout.controls_folder(out, half.data, fold)
        for path in (run / "test", *target.glob("*/")):
            rows = [replace(one, case_id=f"f{fold}-{one.case_id}") for one in read_rows(path / "cases.csv")]
            if path.parent == run:
                write_test(run, "test", rows)
            else:
                write_rows(path / "cases.csv", rows)
        seal_controls(target)
    (section,) = make_report(read_benchmark(out)).sections
    assert ("Seeds", "1 x 2 folds") in section.shared
    assert ("Test cases", "24") in section.shared
    assert "above the best control (mean-shape, 0.400)" in section.lead
    assert section.galleries[0].job == "seed 0 fold 0"
