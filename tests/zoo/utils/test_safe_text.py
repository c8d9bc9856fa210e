"""Foreign text for a terminal and for the name of a file."""

from __future__ import annotations

import json
import logging

import pytest
from rich.table import Table

from zoo.cli.console import set_up_logging
from zoo.errors import ConfigError
from zoo.utils.exit_codes import run_command
from zoo.utils.printing import write_output
from zoo.utils.safe_text import LONGEST_NAME, is_printable, to_file_name, to_printable
from zoo.utils.terminal import SafeConsole

ESC = "\x1b"
HOSTILE = [f"a{ESC}]0;title\x07", "a\rb", "a\x9bb", "a\u202eb", "a\u2028b", "a\x00b", "a\ud800b", "a\x7fb"]


@pytest.mark.parametrize("text", HOSTILE)
def test_every_character_that_changes_a_terminal_is_escaped(text: str) -> None:
    shown = to_printable(text)
    assert not is_printable(text)
    assert is_printable(shown)
    assert json.loads(f'"{shown}"') == text


@pytest.mark.parametrize("text", ["", "left lung", "\u5de6\u80be", "re\u200cn", "a\u00a0b", "\u00e9", "\U0001f600"])
def test_text_of_any_language_stays(text: str) -> None:
    assert to_printable(text) == text
    assert is_printable(text)


@pytest.mark.parametrize("text", [*HOSTILE, "../a", "a/b", "a\\b", "", ".", "-rf", "x" * 300, "\u5de6" * 100])
def test_any_text_gives_one_name_of_a_file(text: str) -> None:
    name = to_file_name(text)
    assert is_printable(name)
    assert not set("/\\") & set(name)
    assert not name.startswith((".", "-"))
    assert 0 < len(name.encode()) <= LONGEST_NAME


def test_different_texts_have_different_names_of_files() -> None:
    texts = ["a/b", "a\\b", "a\nb", "a_b", "x" * 300, "x" * 301]
    assert len({to_file_name(text) for text in texts}) == len(texts)


def test_the_name_of_an_ordinary_case_is_the_case() -> None:
    assert to_file_name("Kvasir 12_\u5de6.v2__left lung") == "Kvasir 12_\u5de6.v2__left lung"


@pytest.mark.parametrize("text", HOSTILE[:3])
def test_an_error_cannot_write_control_characters(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ConfigError(f"{text}: wrong.", "Correct it.")

    assert run_command(fail) == 2
    line = capsys.readouterr().err
    assert line.endswith("\n")
    assert is_printable(line[:-1])


def test_a_table_prints_foreign_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(f"head{ESC}", title=f"[bold]t[/bold]{ESC}")
    table.add_row(f"[/] :smile: {ESC}[31mred and the end")
    console = SafeConsole(width=200, force_terminal=False)
    console.print(table)
    console.print(f"line{ESC}")
    text = capsys.readouterr().out
    assert ESC not in text
    assert r"[/] :smile: \u001b[31mred and the end" in text
    assert r"[bold]t[/bold]\u001b" in text
    assert r"line\u001b" in text


def test_a_terminal_has_the_colours_of_the_zoo_and_none_of_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    SafeConsole(force_terminal=True, color_system="standard").print(f"{ESC}[31mred", style="green")
    text = capsys.readouterr().out
    assert f"{ESC}[31m" not in text
    assert f"{ESC}[32m" in text


def test_a_log_line_cannot_write_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    kept, root.handlers = root.handlers, []
    try:
        set_up_logging()
        logging.getLogger("zoo").warning("%s: odd", f"a{ESC}b")
    finally:
        root.handlers = kept
    assert capsys.readouterr().err == "a\\u001bb: odd\n"


def test_output_keeps_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    write_output(f"a{ESC}\tb\nc\n")
    assert capsys.readouterr().out == "a\\u001b\tb\nc\n"
