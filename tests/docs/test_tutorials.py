"""The blocks of the tutorials run: Python blocks as they are, `zoo` commands in this process.

A block that begins with a comment such as `# compare.yaml` is a file of that name.
"""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.doc_blocks import blocks, commands
from tests.helpers.made_up_benchmark import benchmark
from tests.helpers.paths import REPOSITORY
from tests.helpers.sample_benchmark import job
from zoo.cli.main import main

PAGES = REPOSITORY / "docs"


def run_command(words: list[str]) -> None:
    """Run `python FILE` or a `zoo` command in this process.

    In place of `zoo bench run`, which would take minutes, its plan is made and a finished benchmark is written.
    """
    if words[0] == "python":
        runpy.run_path(words[1])
        return
    assert words[0] == "zoo", words
    if words[1:3] == ["bench", "run"]:
        out = Path(words.pop(words.index("--out") + 1))
        words.remove("--out")
        assert main(["bench", "plan", *words[3:]]) == 0, words
        benchmark(out, [job(model, seed) for model in ("unet", "film") for seed in (0, 1)], ["liver"])
    else:
        assert main(words[1:]) == 0, words


def run_page(page: Path, kinds: tuple[str, ...] = ("python", "bash", "yaml")) -> dict[str, Any]:
    """Run the blocks of some kinds in their order and return the names that they define."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.kind not in kinds:
            continue
        if file := re.match(r"# ([\w.]+)\n", block.content):
            Path(file[1]).write_text(block.content, encoding="utf-8")
        elif block.kind == "python":
            exec(compile("\n" * (block.line - 1) + block.content, str(page), "exec"), names)  # noqa: S102
        elif block.kind == "bash":
            for words in commands(block):
                run_command(words)
    return names


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONSAFEPATH", "0")  # restored afterwards: `zoo` sets it for its children


def test_the_python_tutorial_runs(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pandas")
    page = PAGES / "tutorial_python.md"
    names = run_page(page)
    assert len(names["predictions"]) == 8
    assert names["mask"].shape == (1, 64, 64)
    assert [score.status for score in names["scores"]] == ["ok", "spurious"]
    shown = capsys.readouterr().out
    expected = [block.content for block in blocks(page) if block.kind == "text"]
    assert expected
    assert all(text in shown for text in expected)


def test_the_comparison_tutorial_ends_with_a_latex_table(capsys: pytest.CaptureFixture[str]) -> None:
    run_page(PAGES / "tutorial_compare.md")
    assert "nothing found; 30 cases" in capsys.readouterr().out
    assert r"\begin{tabular}" in Path("table.tex").read_text(encoding="utf-8")
    assert Path("split.json").is_file()
    assert Path("mine.png").is_file()
    assert Path("report.html").is_file()


def test_the_python_blocks_of_the_readme_run() -> None:
    names = run_page(REPOSITORY / "README.md", kinds=("python",))
    assert names["logits"].shape == (1, 1, 64, 64)
    mynet = runpy.run_path("mynet.py")["MyNet"](names["zoo"].make_facts(["lesion"], patch=[64, 64]))
    assert mynet(names["torch"].zeros(1, 1, 64, 64), names["zoo"].Text(mynet.facts.prompts)).shape == (1, 1, 64, 64)
