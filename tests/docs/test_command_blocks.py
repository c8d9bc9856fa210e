"""Every command in a block of the README or the documentation is run, or composed without being run.

Commands that only print run as they are. A training is composed by `--print_config`, a benchmark on embedded data by
`zoo bench plan`, and every other command is read by its own parser. A command that nothing here reads fails the test.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.doc_blocks import PAGES, blocks, commands
from tests.helpers.paths import REPOSITORY
from zoo.cli.commands import COST, RUN, plugin_points
from zoo.cli.completion import make_parser
from zoo.cli.main import main
from zoo.engine.arguments import parse
from zoo.registry import DATA, MODELS
from zoo.utils.extras import _EXTRAS

pytestmark = pytest.mark.xdist_group("command_blocks")  # one worker loads the parser of trainings

SHELL = ("source", "cp", "python", "cd")
"""Words of the shell in front of commands; the tutorials run the Python files."""

PLACEHOLDERS = {"NAME": "hippocampus", "DATA": "hippocampus"}
EMBEDDED = ("phantom_chest", "phantom_abdomen")


def cases() -> list[object]:
    """Every command of every page, once."""
    found: dict[tuple[str, ...], str] = {}
    for page in PAGES:
        for block in blocks(page):
            if block.kind in ("bash", "sh", "console", "shell"):
                for words in commands(block):
                    for single in split_chain(words):
                        found.setdefault(tuple(single), f"{page.relative_to(REPOSITORY)}:{block.line}")
    return [pytest.param(list(words), id=f"{place} {' '.join(words)}"[:120]) for words, place in found.items()]


def split_chain(words: list[str]) -> list[list[str]]:
    """Split `a && b` into two commands, and leave out variables that are set before a command."""
    parts: list[list[str]] = [[]]
    for word in words:
        if word in ("&&", ";", "|"):
            parts.append([])
        elif parts[-1] or not re.fullmatch(r"[A-Z_]+=.*", word):
            parts[-1].append(word)
    return [part for part in parts if part]


@pytest.mark.parametrize("words", cases())
def test_a_command_of_a_page_is_run_or_composed(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_YES", "1")  # plans of published sizes are listed on a machine without a GPU too
    program, *rest = words
    checks: dict[str, Callable[[list[str]], None]] = {"zoo": check_zoo, "make": check_make, "pip": check_pip}
    if program not in SHELL:
        assert program in checks, f"nothing checks `{program}`: add it to this test"
        checks[program](rest)
    assert "error" not in capsys.readouterr().err


def check_make(words: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(words) <= set(targets)


def check_pip(words: list[str]) -> None:
    """A package of ours has the extras, and another package is one of the tests."""
    assert words[0] == "install"
    declared = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    for word in words[1:]:
        if extras := re.fullmatch(r"(?:textseg-zoo|\.)\[([a-z,]+)\]", word):
            assert set(extras[1].split(",")) <= {*_EXTRAS, "test"}
        else:
            assert word.startswith("-") or word == "." or f'"{word}' in declared, word


def check_zoo(words: list[str]) -> None:
    verb, *rest = (PLACEHOLDERS.get(word, word) for word in words)
    if verb in {**RUN, **COST}:
        compose_run(verb, rest)
    elif verb in ("list", "env") or [verb, *rest] in (["data", "list"], ["bench", "plan"]):
        assert main([verb, *rest]) == 0
    elif verb == "bench" and rest[0] == "run" and is_embedded(rest):
        plan(rest[1:])
    else:
        read_arguments(verb, rest)


def compose_run(verb: str, words: list[str]) -> None:
    """Compose a run as `--print_config` prints it; without run folders, files of the user and cases to plan by."""
    request = parse(verb, words)
    whole = not request.files and "--init-from" not in words and "planned" not in (request.size or "")
    if verb == "fit" and request.model and whole:
        assert main([verb, *words, "--print_config"]) == 0


def is_embedded(words: list[str]) -> bool:
    return "--data" in words and words[words.index("--data") + 1] in EMBEDDED


def plan(words: list[str]) -> None:
    """List the jobs of a benchmark, which `zoo bench run` would run."""
    kept = list(words)
    for option in ("--out", "--jobs-at-once"):
        if option in kept:
            del kept[kept.index(option) : kept.index(option) + 2]
    assert main(["bench", "plan", *(word for word in kept if word != "--extend")]) == 0


def read_arguments(verb: str, words: list[str]) -> None:
    """Read the words with the parser of the command; only options with a dot may be left for the classes."""
    if verb == "bench" and words[0] in ("plan", "tune") and not words[1].startswith("-"):
        words.insert(1, "--plan")
    known, further = make_parser().parse_known_args([verb, *words])
    options = [word for word in further if word.startswith("--")]
    assert all("." in option for option in options), further
    assert not further or verb == "show" or verb in plugin_points()
    for name, registry in (("models", MODELS), ("data", DATA)):
        value = getattr(known, name, None)
        if isinstance(value, str) and value:
            assert [one for one in value.split(",") if one not in registry] == []


def test_a_block_with_commands_says_so() -> None:
    """A block without a kind would not be read by this test."""
    hidden = [
        f"{page.name}:{block.line}"
        for page in PAGES
        for block in blocks(page)
        if not block.kind and re.match(r"(zoo|make|pip|python) ", block.content)
    ]
    assert hidden == []
