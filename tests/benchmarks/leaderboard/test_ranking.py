"""The statistics in tables: intervals, tests against the best row, ties and gains, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats

from benchmarks.leaderboard import statistics
from benchmarks.leaderboard.leaderboard import Leaderboard, RankingGroup
from benchmarks.storage.results import Control, JobResult, TestScores
from benchmarks.tables.columns import rows_as_dicts
from benchmarks.tables.latex import PREAMBLE, to_latex
from benchmarks.tables.text_columns import TITLES
from benchmarks.tables.writers import to_csv, to_json, to_markdown
from tests.helpers.sample_benchmark import job, leaderboard_of, result
from tests.helpers.sample_rows import absent, row
from zoo.text.rewrites import REWRITES

BEST = [0.90, 0.85, 0.80, 0.95, 0.70, 0.88, 0.92, 0.81, 0.77, 0.93]
NEAR = [0.91, 0.80, 0.81, 0.94, 0.69, 0.89, 0.91, 0.80, 0.78, 0.92]
FAR = [0.50, 0.45, 0.40, 0.55, 0.30, 0.48, 0.52, 0.41, 0.37, 0.53]
pytestmark = pytest.mark.filterwarnings("error")
ABOUT = {"label_space_hash": "labels", "subjects": {f"c{i}": f"p{i}" for i in range(10)}}


def results() -> list[JobResult]:
    texts = (FAR, [value / 2 for value in FAR], NEAR)
    return [
        result(job("best", seed, "class"), [v + shift for v in BEST], *texts, about=ABOUT)
        for seed, shift in ((0, 0.01), (1, -0.01))
    ] + [
        result(job("near_it", 0), NEAR, about=ABOUT),
        result(job("far", 0), FAR, about=ABOUT),
    ]


CONTROLS = [Control("all-background", "hippocampus", split_hash="abc", metric_version="1", dice=0.0)]


@cache
def table() -> Leaderboard:
    return leaderboard_of(results(), CONTROLS)


def group(found: Leaderboard) -> RankingGroup:
    (only,) = found.groups
    return only


def test_the_statistics_of_the_ranking_agree_with_scipy() -> None:
    best, near, far = group(table()).ranking.rows
    assert [one.label for one in (best, near, far)] == ["best (tiny)", "near_it (tiny)", "far (tiny)"]
    assert [one.rank for one in (best, near, far)] == [1, 2, 3]
    p_near = scipy_stats.wilcoxon(np.round(np.array(NEAR) - BEST, 9), zero_method="pratt").pvalue
    assert near.p == pytest.approx(p_near)
    assert far.p == pytest.approx(2 / 2**10)  # all ten pairs point one way
    assert far.p_holm == pytest.approx(4 / 2**10)
    assert near.p_holm == near.p
    assert (far.effect, far.win_rate, far.mean_rank, far.rank_share) == (-1.0, 0.0, 3.0, 1.0)
    assert near.delta == pytest.approx(np.mean(NEAR) - np.mean(BEST))
    assert (far.delta, far.delta_low, far.delta_high) == pytest.approx((-0.4, -0.4, -0.4))
    assert (best.p, best.p_holm, best.effect, best.against, far.against) == (None, None, None, "", "best (tiny)")
    assert (far.worse, near.worse) == (True, False)
    rng = np.random.default_rng(statistics.SEED)
    plain = scipy_stats.bootstrap((np.array(FAR),), np.mean, batch=500, method="percentile", rng=rng)
    assert (far.dice_low, far.dice_high) == pytest.approx(tuple(plain.confidence_interval))
    wins = np.mean(np.array(BEST) > NEAR)
    assert best.win_rate == pytest.approx((wins + 1) / 2)
    assert group(table()).ranking.wins[0] == pytest.approx((0.5, wins, 1.0))
    assert 0 < (group(table()).ranking.tau or 0) <= 1


def test_the_order_of_rows_on_disk_changes_no_table() -> None:
    def turned(one: JobResult) -> JobResult:
        return replace(one, tests={step: TestScores(test.rows[::-1], test.about) for step, test in one.tests.items()})

    other = leaderboard_of([turned(one) for one in reversed(results())], CONTROLS)
    for write in (to_csv, to_json, to_markdown, to_latex):
        assert write(other, stats=True) == write(table(), stats=True)


def test_the_permutation_test_can_be_chosen() -> None:
    found = leaderboard_of(results(), CONTROLS, "permutation")
    far = group(found).ranking.rows[2]
    assert far.p == pytest.approx(2 / 2**10)
    assert "permutation test" in to_markdown(found, stats=True)


def test_models_with_equal_scores_share_the_rank_and_have_p_1() -> None:
    found = leaderboard_of([result(job(name, 0), BEST, about=ABOUT) for name in ("a", "b", "c")], [])
    a, b, c = group(found).ranking.rows
    assert [one.rank for one in (a, b, c)] == [1, 1, 1]
    assert (b.p, c.p_holm, b.effect, b.win_rate, b.mean_rank, b.rank_share) == (1.0, 1.0, 0.0, 0.5, 2.0, 1.0)
    assert group(found).ranking.tau is None


def test_a_row_alone_has_an_interval_and_no_test() -> None:
    (only,) = group(leaderboard_of(results()[2:3], [])).ranking.rows
    assert (only.rank, only.p, only.win_rate, only.rank_share) == (1, None, None, 1.0)
    assert only.dice_low is not None


def test_the_text_gain_has_an_interval_over_subjects() -> None:
    best = group(table()).ranked[0]
    assert (best.text_gain, best.text_gain_low, best.text_gain_high) == pytest.approx((0.4, 0.4, 0.4))
    assert best.dice_shuffled == pytest.approx(np.mean(FAR))
    assert best.dice_blank == pytest.approx(np.mean(FAR) / 2)


def test_class_names_alone_have_columns_where_they_were_tested() -> None:
    found = [
        replace(one, tests={**one.tests, "test-names": TestScores(one.tests["test-shuffled"].rows, ABOUT)})
        if "test-shuffled" in one.tests
        else one
        for one in results()
    ]
    names = leaderboard_of(found, CONTROLS)
    best = group(names).ranked[0]
    assert best.text_gain_names == pytest.approx(0.4)
    assert best.dice_names == pytest.approx(np.mean(FAR))
    assert " | Names gain | " in to_markdown(names)
    assert "Dice with other text" in to_markdown(names, stats=True)


@pytest.mark.parametrize("rule", REWRITES)
def test_rewritten_text_has_columns_beside_shuffled_and_blank_where_it_was_tested(rule: str) -> None:
    best = next(one for one in results() if one.job.model == group(table()).ranked[0].model)
    rewritten = TestScores(best.tests["test-shuffled"].rows, ABOUT)
    found = leaderboard_of([replace(best, tests={**best.tests, f"test-{rule}": rewritten})], [])
    (values,) = rows_as_dicts(found)
    assert values[f"dice_{rule}"] == values["dice_shuffled"]
    assert values[f"text_gain_{rule}"] == values["text_gain"]
    title = TITLES[rule][0]
    assert f" gain | {title} gain | Params (M) |" in to_markdown(found)
    assert f" | {title} | Text gain |" in to_markdown(found, stats=True)
    assert "Paraphrase" not in to_markdown(table())


def test_an_absent_class_is_left_out_of_its_subject_alone() -> None:
    rows = [row(f"c{i}", "x", 0.5 + i / 20) for i in range(8)] + [absent("c8", "x"), absent("c9", "x")]
    other = [row(f"c{i}", "x", 0.4 + i / 20) for i in range(8)] + [
        absent("c8", "x"),
        row("c9", "x", 0.0, status="spurious"),
    ]
    runs = [
        replace(result(job(name, 0), BEST, about=ABOUT), tests={"test": TestScores(tuple(these), ABOUT)})
        for name, these in (("a", rows), ("b", other))
    ]
    a, b = group(leaderboard_of(runs, [])).ranking.rows
    # In the ninth case no row has a score; in the tenth case b has a false positive.
    assert (a.label, b.pairs, b.effect) == ("a (tiny)", 9, -1.0)
    row_a, row_b = group(leaderboard_of(runs, [])).ranked
    assert row_a.dice_subjects == pytest.approx(row_a.dice)
    assert row_b.dice_subjects == pytest.approx(row_b.dice)


def test_markdown_has_the_statistics_in_a_table_of_their_own() -> None:
    plain, full = to_markdown(table()), to_markdown(table(), stats=True)
    assert "95 % CI" not in plain
    assert "### hippocampus, text track: class: statistics" in full
    line = next(line for line in full.splitlines() if line.startswith("| far (tiny) | 3 |"))
    assert line.startswith("| far (tiny) | 3 | 0.451 | [0.401, 0.496] | -0.400 | [-0.400, -0.400] | 0.002 | 0.004 |")
    assert line.endswith("| -1.00 | 0 % | 3.00 | 100 % |")
    for text in re.split(r"\n(?=### )", full):
        assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_the_classes_have_a_table_of_their_own() -> None:
    runs = []
    for name, dice in (("a", 0.8), ("b", 0.6)):
        rows = [
            replace(row(f"c{i}", label, dice - 0.1 * k), index=k) for i in range(8) for k, label in enumerate("xy", 1)
        ]
        runs.append(replace(result(job(name, 0), BEST), tests={"test": TestScores(tuple(rows))}))
    found = leaderboard_of(runs, CONTROLS)
    lines = to_markdown(found, per_class=True).splitlines()
    assert "| Model | x | y |" in lines
    assert "| a (tiny) | **0.700** | **0.600** |" in lines
    cells = list(csv.DictReader(io.StringIO(to_csv(found, per_class=True))))
    assert [(one["model"], one["label"], one["dice"]) for one in cells] == [
        *(("a", "x", "0.7"), ("a", "y", "0.6"), ("b", "x", "0.5"), ("b", "y", "0.4")),
    ]
    assert json.loads(to_json(found))["per_class"][1]["dice"] == 0.6


def test_values_that_print_alike_are_marked_alike() -> None:
    """The first two Dice differ in the fourth digit alone; a smaller distance is better."""
    near = [BEST[0] - 0.001, *BEST[1:]]
    runs = [result(job(name, 0), dices, about=ABOUT) for name, dices in (("a", BEST), ("b", near), ("c", NEAR))]
    distances = {"a": 3.001, "b": 2.0, "c": 3.0}
    runs = [
        replace(
            one, tests={"test": TestScores(tuple(replace(r, hd95=distances[one.job.model]) for r in test.rows), ABOUT)}
        )
        for one in runs
        for test in one.tests.values()
    ]
    found = leaderboard_of(runs, [])
    assert [one.rank for one in group(found).ranking.rows] == [1, 2, 3]
    lines = [line for line in to_latex(found).splitlines() if line[:2] in ("a ", "b ", "c ")]
    dice, hd95 = ([line.split(" & ")[place] for line in lines] for place in (5, 7))
    assert dice == [r"\textbf{0.851}", r"\textbf{0.851}", r"\underline{0.845}"]
    assert hd95 == [r"\underline{3.00}", r"\textbf{2.00}", r"\underline{3.00}"]


def test_where_all_values_print_alike_none_is_best() -> None:
    equal = [result(job(name, 0), BEST, about=ABOUT) for name in ("a", "b")]
    for runs in (equal, equal[:1]):
        found = leaderboard_of(runs, CONTROLS)
        assert "**" not in to_markdown(found, stats=True, per_class=True)
        assert "textbf" not in to_latex(found, stats=True, per_class=True)


def test_no_p_value_is_0() -> None:
    shifts = [0.001 * place for place in range(40)]
    runs = [result(job("a", 0), [0.9] * 40), result(job("b", 0), [0.5 + shift for shift in shifts])]
    (_, row_) = csv.DictReader(io.StringIO(to_csv(leaderboard_of(runs, []), stats=True)))
    assert float(row_["p"]) == float(row_["p_holm"]) == pytest.approx(2 / 2**40, rel=1e-5)
    assert json.loads(to_json(leaderboard_of(runs, [])))["groups"][0]["ranked"][1]["p"] == float(row_["p"])


def test_every_table_shows_the_encoder_where_a_model_has_two() -> None:
    runs = [
        result(job("bipvl", 0, "class", encoder=encoder), dices, FAR, FAR, FAR, about=ABOUT)
        for encoder, dices in (("minilm", BEST), ("tiny", NEAR))
    ]
    facts = {**runs[0].manifest, "split_hash": "z", "encoder": "cxr_bert"}
    refused = replace(runs[0], job=job("bipvl", 0, "class", encoder="cxr_bert"), manifest=facts)
    found = leaderboard_of([*runs, refused], [])
    assert group(found).ranking.rows[1].against == "bipvl (tiny), minilm"
    text = to_markdown(found, stats=True, per_class=True)
    for encoder in ("minilm", "tiny"):
        assert text.count(f"| bipvl (tiny), {encoder} |") == 3  # statistics, texts, classes
    assert json.loads(to_json(found))["groups"][0]["notes"].keys() == {"bipvl (tiny), cxr_bert"}


def test_special_characters_in_names_keep_the_tables_valid() -> None:
    names = ("le_ft|x", "__b__ <i>", "50%*&")
    rows = [replace(row(f"c{i}", name, 0.5), index=k) for i in range(8) for k, name in enumerate(names)]
    runs = [replace(result(job(r"p|q\ru", 0), BEST), tests={"test": TestScores(tuple(rows))})]
    text = to_markdown(leaderboard_of(runs, []), stats=True, per_class=True)
    assert r"| Model | le_ft\|x | \_\_b\_\_ \<i> | 50%\*& |" in text
    assert r"| p\|q\\ru (tiny) |" in text
    assert "Dice with other text" not in text, "no model reads text here"
    (head, *lines) = csv.reader(io.StringIO(to_csv(leaderboard_of(runs, []), per_class=True)))
    assert [line[head.index("label")] for line in lines] == list(names)


def test_csv_and_json_have_the_statistics() -> None:
    first, *_, last = csv.DictReader(io.StringIO(to_csv(table(), stats=True)))
    assert (first["data"], first["text_track"], first["recipe"], first["rank"]) == (
        "hippocampus",
        "class",
        "equal",
        "1",
    )
    assert (first["p"], last["p"], last["p_holm"], last["effect"]) == ("", "0.00195312", "0.00390625", "-1.0")
    (found,) = json.loads(to_json(table()))["groups"]
    assert [one["rank"] for one in found["ranked"]] == [1, 2, 3]
    assert found["wins"][2] == [0.0, 0.0, 0.5]
    rows = list(csv.DictReader(io.StringIO(to_csv(table()))))
    assert (rows[2]["dice_low"], rows[2]["dice_high"]) == (last["dice_low"], last["dice_high"])


def test_latex_underlines_the_second_and_marks_what_the_test_finds() -> None:
    text = to_latex(table(), stats=True, per_class=True)
    assert text.startswith("% \\usepackage{booktabs,graphicx}\n")
    assert r"\textbf{0.851 $\pm$ 0.014}" in text
    assert r"\underline{0.845}" in text
    assert r"0.451$^{\dagger}$" in text
    assert r" & $-$0.400 & [$-$0.400, $-$0.400] & " in text
    assert text.count(r"$^{\dagger}$: differs from the best") == 2, "in each table with the mark"
    assert "differs from the best, p $<$ 0.05 (Wilcoxon signed-rank test over subjects, corrected by Holm)" in text
    for name, number in {"table": 1, "table*": 3, "tabular": 4}.items():
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == number
    assert text.count("{") == text.count("}")
    body = text.split("% dice:")[0]
    assert body.isascii()
    for sheet in body.split(r"\begin{tabular}")[1:]:
        assert len({line.count(" & ") for line in sheet.splitlines() if line.endswith(r"\\")}) == 1


@pytest.mark.skipif(not any(map(shutil.which, ("tectonic", "pdflatex"))), reason="no TeX here")
def test_latex_compiles(tmp_path: Path) -> None:
    strange = result(job(r"a_b%&#$^~\{}<>", 0), FAR, about=ABOUT)
    body = to_latex(leaderboard_of([*results(), strange], CONTROLS), stats=True, per_class=True)
    document = (
        "\\documentclass{article}\n"
        + PREAMBLE.removeprefix("% ")
        + "\n\\begin{document}\n"
        + body
        + "\\end{document}\n"
    )
    (tmp_path / "t.tex").write_text(document, encoding="utf-8")
    command = ["tectonic", "t.tex"] if shutil.which("tectonic") else ["pdflatex", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 1000
    assert "Overfull" not in done.stdout + done.stderr, "no table runs over the page"
