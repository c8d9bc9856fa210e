"""Parsing of commands, error texts of one line, and commands that load no torch."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zoo.cli.main as cli
from tests.helpers.paths import REPOSITORY
from zoo import errors
from zoo.engine.arguments import parse
from zoo.errors import ConfigError, DataError
from zoo.utils.entry_points import EntryPoint


def failed(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that a mistake writes to standard error."""
    assert cli.main(argv) == 2
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("zoo: error: ")
    assert captured.out == ""
    return lines[0]


def test_parse_knows_every_form() -> None:
    named = ["--model", "unet", "--data=set", "--size", "tiny", "--trainer", "cpu", "--out", "o", "--seed", "3"]
    files = ["-c", "a.yaml", "--config=b.yaml", "--ckpt", "k"]
    flags = ["--model.lr=1e-3", "--trainer.max_epochs", "2", "--data.shift", "-1", "--print_config"]
    request = parse("test", named + files + flags)
    assert (request.model, request.data, request.size, request.preset, request.seed) == (
        "unet",
        "set",
        "tiny",
        "cpu",
        3,
    )
    assert (request.out, request.ckpt, request.files) == (Path("o"), Path("k"), (Path("a.yaml"), Path("b.yaml")))
    assert request.flags == (("data.shift", "-1"), ("model.lr", "1e-3"), ("trainer.max_epochs", "2"))
    assert request.print_config


def test_the_order_of_options_does_not_matter() -> None:
    words = [("--model", "unet"), ("--model.lr", "1"), ("--data.b", "2"), ("--trainer", "cpu"), ("--seed", "1")]
    requests = {parse("fit", list(itertools.chain(*order))) for order in itertools.permutations(words)}
    assert len(requests) == 1


def test_flags_on_appended_list_entries_keep_their_order() -> None:
    words = ["--trainer.callbacks+=B", "--trainer.callbacks.x=1", "--trainer.callbacks+=A", "--trainer.callbacks.x=2"]
    assert [f"--{key}={value}" for key, value in parse("fit", words).flags] == words


def test_relative_root_becomes_absolute() -> None:
    assert parse("fit", ["--data.root", "here"]).flags == (("data.root", str(Path.cwd() / "here")),)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--modle", "unet"], "Did you mean --model"),
        (["--modle.lr", "1"], "Did you mean --model.lr"),
        (["--model"], "--model needs a value"),
        (["--model", "--data", "x"], "--model needs a value"),
        (["unet"], "Unexpected word 'unet'"),
        (["--size", "tinny"], "Did you mean tiny"),
        (["--size", "42"], "Choose tiny or published"),
        (["--seed", "one"], "whole number"),
        (["--model.class_path", "a.B"], "Choose the class with --model"),
        (["--zzz", "1"], "Run `zoo fit --help`"),
        (["--lr", "1e-3"], "Unknown option '--lr'. Did you mean --model.lr?"),
        (["--batch-size", "4"], "Did you mean --data.batch_size?"),
        (["--epochs=3"], "Did you mean --trainer.max_epochs?"),
        (["--device", "cuda"], "Did you mean --trainer?"),
        (["--gpu"], "Did you mean --trainer gpu?"),
        (["--resume"], "The same command with the same --out continues"),
        (["--ckpt", "a.ckpt"], "--ckpt is no option of `zoo fit`"),
        (["--checkpoint", "a.ckpt"], "continues a run from its own last checkpoint"),
    ],
)
def test_mistyped_options_are_reported_with_a_similar_one(words: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=r".") as caught:
        parse("fit", words)
    assert says in str(caught.value)


def test_one_line_reports_both_mistyped_names(capsys: pytest.CaptureFixture[str]) -> None:
    line = failed(["fit", "--model", "bipvll", "--data", "hippocampuss"], capsys)
    for part in ("'bipvll'", "bipvl?", "'hippocampuss'", "zoo list models", "zoo list data"):
        assert part in line


def test_missing_names_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--model and --data missing" in failed(["fit"], capsys)
    assert "no run is here" in failed(["test", "--out", "/nonexistent/run"], capsys)


def test_an_unknown_command_is_reported_with_a_similar_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean fit" in failed(["fitt"], capsys)
    assert "Known: fit" in failed(["qqqqqq"], capsys)
    assert "Did you mean `zoo fit`" in failed(["train"], capsys)
    assert "Did you mean `zoo data prepare`" in failed(["download"], capsys)


def test_help_and_version_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["-h"], ["fit", "--help"]):
        assert cli.main(words) == 0
        assert "--print_config" in capsys.readouterr().out
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("zoo 0")


def test_commands_of_other_packages_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    broken = EntryPoint("broken", "no_such_module:main", "theirs")
    echo = EntryPoint("echo", "builtins:len", "theirs")
    monkeypatch.setattr("zoo.cli.commands.list_points", lambda group: ([broken, echo], {}))
    assert cli.main(["echo", "a", "b"]) == 2, "its exit code is ours"
    assert "no_such_module" in failed(["broken"], capsys)
    assert cli.main(["--help"]) == 0, "a broken one breaks nothing else"


def test_an_error_of_a_worker_is_one_line() -> None:
    wrapped = DataError(
        "Caught DataError in worker 0.\nOriginal Traceback:\n  File x\nzoo.errors.DataError: a.nii: bad."
    )
    assert errors.to_one_line(wrapped) == "a.nii: bad."


def run_code(code: str, *words: str) -> None:
    """Run code in a process of its own, which ends with a reason where something is wrong."""
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["list", "models"],
        ["show", "unet"],
        ["env"],
        ["fit", "--help"],
        ["list", "--help"],
    ],
)
def test_listing_commands_load_no_torch(words: list[str]) -> None:
    code = (
        "import sys; from zoo.cli.main import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'lightning', 'monai', 'omegaconf', 'numpy', 'jsonargparse', 'numba'} & set(sys.modules);"
        "sys.exit(code or ', '.join(heavy) or 0)"
    )
    run_code(code, *words)


def test_the_help_reads_no_card_and_a_listing_loads_no_planner() -> None:
    code = (
        "import sys; before = set(sys.modules); from zoo.cli.main import main; main(['--help']);"
        "new = set(sys.modules) - before; slow = {'importlib.metadata', 'dataclasses', 'logging', 'hashlib'} & new;"
        "slow |= {'yaml', 'zoo.registry', 'rich.table'} & new; main(['list']); new = set(sys.modules) - before;"
        "slow |= {'packaging.requirements', 'zoo.planner.blueprint', 'zoo.config', 'zoo.utils.machine'} & new;"
        "sys.exit(', '.join(slow) or 0)"
    )
    run_code(code)


def test_a_training_loads_monai_only_for_a_model_that_uses_it() -> None:
    code = (
        "import sys; from zoo.cli.process import load_lightning; load_lightning();"
        "import datamodules.sets.phantom_chest, zoo.models.nnunet, zoo.callbacks.scores;"
        "without = {'monai'} & set(sys.modules); import zoo.models.unet;"
        "heavy = {'timm', 'open_clip', 'numba', 'statsmodels', 'SimpleITK'} & set(sys.modules);"
        "sys.exit(', '.join(without | heavy) or 0)"
    )
    run_code(code)


def test_the_six_files_of_a_training_are_those_of_the_list_for_contributors() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = text.partition("**From `zoo fit` to `trainer.fit`**")[2].partition("\n**")[0]
    steps = re.findall(r"^\d\. `(zoo/\S+\.py)`", listed, re.MULTILINE)
    assert len(steps) == 6
    assert [path for path in steps if not (REPOSITORY / path).is_file()] == []
    assert cli._load_command("fit").__module__ == steps[1].removesuffix(".py").replace("/", ".")
    assert "cli.trainer.fit(" in (REPOSITORY / steps[1]).read_text(encoding="utf-8")
