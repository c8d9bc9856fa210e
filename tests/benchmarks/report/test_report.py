"""The report: its content, its safety (no foreign script, no request), and equal bytes for equal results."""

from __future__ import annotations

import builtins
import html
import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from benchmarks.cli import main
from benchmarks.leaderboard.leaderboard import Leaderboard, RankingGroup, make_leaderboard
from benchmarks.plan.job import Plan
from benchmarks.report import write_report
from benchmarks.report.entries import make_entries, read_curves
from benchmarks.report.plots import draw_boxes
from benchmarks.storage import layout
from benchmarks.storage.results import read_benchmark
from benchmarks.storage.stored_plan import store_plan
from benchmarks.tables.latex import to_latex
from benchmarks.tables.writers import to_csv
from tests.helpers.made_up_benchmark import ATTACK, benchmark, finished
from tests.helpers.sample_benchmark import job, variant
from zoo.errors import RunError

LABELS = ("anterior", "p<em>&$x^2$")
JOBS = [*(job("unet", seed) for seed in (0, 1)), *(job("bipvl", seed, "class") for seed in (0, 1))]


@dataclass
class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    text: str
    tags: Counter[str] = field(default_factory=Counter)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]

    @property
    def shown(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a benchmark of two models with two seeds, a variant of one of them, and a job that failed."""
    out = benchmark(tmp_path_factory.mktemp("bench"), [*JOBS, variant("no_text", 0), variant("no_text", 1)], LABELS)
    failed = job("tevia", 0, "class")
    store_plan(out, Plan((failed,)))
    layout.write_status(layout.job_folder(out, failed.id), {"state": "failed", "step": "fit", "reason": ATTACK})
    return out


@pytest.fixture(scope="module")
def group(folder: Path) -> RankingGroup:
    return make_leaderboard(read_benchmark(folder)).groups[0]


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    write_report(folder, folder / "report.html")
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_page_has_what_a_reviewer_looks_for(page: Page) -> None:
    for words in (
        "bipvl (tiny) has the highest Dice, 0.6",
        "p < 0.001), and above the best control (mean-shape, 0.400).",
        "1 of 7 runs are not done (1 failed)",
        "bipvl (tiny) - no_text",
        "without text",
        "Ablation variants",
        "Controls",
        "Latency is not shown",
        "How certain is the ranking?",
        "Effect of the text",
        "†: differs from the best, p < 0.05 (Wilcoxon signed-rank test over subjects, corrected by Holm).",
        "each case counts as a subject of its own",
        "Validation Dice, pooled",
        "axial slice 7",
        "a sentence on anterior",
        "Provenance",
        "0123456789ab",
        "Controls are not models, and they are never ranked.",
    ):
        assert words in page.shown, words
    assert page.tags["img"] == 2 * 9 + 3 * 2, "the pictures are of the first seed of each model"
    # box plots of both classes and of the mean, intervals, parameters, text, two curves
    assert page.values("class").count("plot") == 3 + 1 + 1 + 1 + 2
    assert (
        page.values("aria-label").count("Leaderboard, hippocampus: best bold, second underlined, among ranked models")
        == 1
    )


def test_the_page_names_the_hardware_the_hours_and_the_source_of_the_data(page: Page) -> None:
    for words in (
        "Hardware a processor, 2 threads",
        "Licence of the data CC-BY-SA 4.0 Web page http://medicaldecathlon.com Citation Antonelli et al.",
        "Cases train 20, val 4, test 12",
    ):
        assert words in page.shown, words
    runs = page.text[page.text.index("Run by run") :]
    heads = re.findall(r"<th scope=\"col\"[^>]*>([^<]*)</th>", runs)
    assert "hours" in heads
    assert [">0.50<" in runs, ">1.50<" in runs] == [True, True], "seed 0 took half an hour, seed 1 an hour more"


def test_tables_can_be_copied_as_the_command_writes_them(page: Page, folder: Path, group: RankingGroup) -> None:
    texts = [html.unescape(text) for text in re.findall(r"<template[^>]*>(.*?)</template>", page.text, re.S)]
    assert [text[:12] for text in texts[::2]] == ["% \\usepackage"[:12]] * 3, "leaderboard, statistics and classes"
    board = Leaderboard((group,))
    assert texts[1::2] == [to_csv(board), to_csv(board, stats=True), to_csv(board, per_class=True)]
    assert to_latex(board).partition("\n% ")[0] in texts[0]


def test_no_text_of_a_result_becomes_markup(page: Page) -> None:
    assert page.shown.count(ATTACK) >= 2 * 9 + 1, "every text and the reason are printed unchanged"
    assert page.tags["script"] == 1
    assert page.tags["em"] == 0
    assert page.shown.count(LABELS[1]) > 10, "the name is in tables and figures, and it is not set as mathematics"
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert {name for _, name, value in page.attributes if "alert(" in value} <= {"data-v"}, "what columns sort by"


def test_the_page_loads_nothing(page: Page) -> None:
    loading = {"src", "href", "xlink:href", "action", "data"}
    sources = [(tag, value) for tag, name, value in page.attributes if name in loading]
    linked = {value for tag, value in sources if tag == "a" and not value.startswith("#")}
    assert linked == {"http://medicaldecathlon.com"}, "a reader may follow it; the page does not load it"
    assert all(value.startswith(("#", "data:")) for _, value in sources if value not in linked)
    text = page.text.replace("http://medicaldecathlon.com", "")
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", text)
    policy = next(value for value in page.values("content") if "default-src" in value)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script-src 'sha256-" in policy


def test_ids_are_unique_and_every_link_has_its_target(page: Page) -> None:
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    targets = {value[1:] for value in page.values("href") if value.startswith("#")}
    targets |= set(re.findall(r"url\(#([^)]+)\)", page.text))
    assert targets <= set(ids)


def test_figures_have_the_colours_and_the_font_of_the_page(page: Page) -> None:
    drawings = re.findall(r'<svg class="plot".*?</svg>', page.text, re.S)
    assert drawings
    for drawing in drawings:
        colours = set(re.findall(r"#[0-9a-fA-F]{6}", drawing))
        assert not colours, f"{colours} would not follow the theme"
        assert "var(--ink)" in drawing
        assert "<style" not in drawing, "a style element would change the whole page"
        assert "DejaVu" not in drawing


def test_the_same_results_give_the_same_bytes(folder: Path, page: Page, tmp_path: Path) -> None:
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": None}):
        write_report(folder, tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page.text


def test_the_command_writes_the_file_or_ends_with_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "out.html"
    assert main(["report", str(folder), "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    assert [file.name for file in out.parent.iterdir()] == ["out.html"]
    (tmp_path / "file").write_text("")
    assert main(["report", str(folder), "--out", str(tmp_path / "file" / "out.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert main(["report", str(tmp_path)]) == 2
    assert "no benchmark here" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_the_error_names_a_missing_package_and_its_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == missing:
            raise ImportError(name=name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RunError, match=rf"{missing} is missing\. Run `pip install .*\[report\]"):
        write_report(folder, folder / "never.html")
    assert not (folder / "never.html").exists()


def test_a_benchmark_without_a_finished_job_has_a_report(tmp_path: Path) -> None:
    store_plan(tmp_path, Plan(tuple(JOBS)))
    write_report(tmp_path, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "4 of 4 runs are not done (4 waiting)" in page.shown
    assert "there is no ranking" in page.shown


def test_the_page_names_refused_rows_and_missing_pictures(tmp_path: Path) -> None:
    """A row with another budget is refused; pictures of another test than the scores are not shown."""
    out = benchmark(tmp_path / "bench", [job("unet"), job("bipvl", 0, "class")], LABELS)
    run = layout.job_folder(out, job("bipvl", 0, "class").id)
    finished_again = replace(job("unet"), model="other")
    store_plan(out, Plan((finished_again,)))
    finished(layout.job_folder(out, finished_again.id), finished_again, LABELS, 0.9, 12, budget={"samples": 7})
    index = run / "test" / "overlays" / "overlays.json"
    content = json.loads(index.read_text())
    content["cases"][0]["dice"] += 0.1
    index.write_text(json.dumps(content))
    (layout.job_folder(out, job("unet").id) / "metrics.csv").unlink()
    (layout.job_folder(out, job("unet").id) / "test" / "overlays" / "overlays.json").unlink()
    write_report(out, out / "report.html")
    page = Page((out / "report.html").read_text(encoding="utf-8"))
    assert "other (tiny) : not comparable: budget" in page.shown
    assert "is of another test than the stored scores" in page.shown
    assert "its test kept none" in page.shown
    assert page.shown.index("Not ranked") > page.shown.index("bipvl (tiny)")


def test_costs_give_a_figure_and_a_table(tmp_path: Path) -> None:
    out = benchmark(tmp_path, JOBS[:1], LABELS)
    cost: dict[str, Any] = {
        "params": 1e6,
        "params_trainable": 1e6,
        "gflops": 1.5,
        "step_s": 0.1,
        "step_mib": 50,
        "case_s": 0.0123,
    }
    cost |= {"case_mib": None, "batch_size": 8, "patch": [64, 64], "device": "CPU", "threads": 1}
    layout.write_json(layout.costs_path(out), {"version": 1, "costs": {JOBS[0].cost_key: cost}})
    write_report(out, out / "report.html")
    page = Page((out / "report.html").read_text(encoding="utf-8"))
    assert "latency (milliseconds per case)" in page.text
    assert "Latency is not shown" not in page.shown
    assert "0.0123" in page.shown
    assert "8 x 64x64 CPU, 1 thread" in page.shown
    assert "GFLOPs: one forward pass" in page.shown


def test_the_dice_of_a_case_is_averaged_over_seeds_first(folder: Path, group: RankingGroup) -> None:
    entry = make_entries(group, read_benchmark(folder).results)[0]
    for label in (None, "anterior"):
        dices = entry.case_dices(label)
        rows = [[r for r in job.tests["test"].rows if label in (None, r.label)] for job in entry.jobs]
        expected = sum(row.dice for run in rows for row in run) / sum(len(run) for run in rows)
        assert len(dices) == 12
        assert sum(dices) / 12 == pytest.approx(expected)
    assert 'aria-label="Box plots' in draw_boxes([entry], "anterior", "k")


def test_the_last_line_of_an_interrupted_history_is_left_out(folder: Path) -> None:
    run = layout.job_folder(folder, JOBS[0].id)
    curves = read_curves(run, ["val/dice", "train/loss", "train/never"])
    assert [epoch for epoch, _ in curves["val/dice"]] == list(range(1, 13))
    assert curves["train/never"] == []
