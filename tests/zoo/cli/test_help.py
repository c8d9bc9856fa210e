"""Help texts: the options of a command, the arguments of the classes that it names, and the completion of a shell."""

from __future__ import annotations

import subprocess

import pytest

from zoo.cli.main import main
from zoo.engine.options import OPTIONS


def shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a command prints, as one line."""
    capsys.readouterr()
    assert main(words) == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("verb", ["fit", "validate", "test", "predict", "profile"])
def test_the_help_of_a_command_has_each_of_its_options_and_no_other(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown([verb, "--help"], capsys)
    assert text.startswith(f"usage: zoo {verb} ")
    for option in OPTIONS:
        own = " ".join(f"{option.name} {option.value} {option.text}".split())
        assert (
            (own in text or option.name in ("-c", "--help")) if verb in option.verbs else f" {option.name} " not in text
        )
    assert "-c, --config FILE more configuration" in text
    assert "-h, --help [all]" in text


def test_the_help_names_the_arguments_of_the_model_and_the_data_with_docstrings_and_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = shown(["fit", "--model", "bipvl", "--data", "phantom_chest", "--size", "tiny", "--help"], capsys)
    assert "Model bipvl (tiny)" in text
    assert "--model.width int Channels of the vision stem. (default: 16)" in text, "the value of the size"
    assert "--model.released.network bool True: the network of the released code" in text
    assert "--data.batch_size int Samples per batch over all devices, a multiple of their number. (default: 8)" in text
    assert "--model.facts" not in text
    assert "--data.seed" not in text
    assert "--trainer.max_epochs" not in text.partition("Model bipvl")[2]


def test_the_help_of_all_has_the_arguments_of_lightning(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(["fit", "--help", "all"], capsys)
    assert "--trainer.max_epochs int | None Stop training once this number of epochs is reached." in text
    assert ":paramref:" not in text


@pytest.mark.parametrize("command", ["list", "show", "env", "completion"])
def test_commands_without_a_run_have_a_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown([command, "--help"], capsys).startswith(f"usage: zoo {command} ")


def test_bash_completes_commands_options_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    typed = {
        "be": "bench",
        "fit --acc": "--accumulate",
        "fit --si": "--size",
        "fit --model bi": "bipvl",
        "fit --model.warm": "--model.warmup",
        "test --ck": "--ckpt",
        "fit --ck": "",
        "show hippo": "hippocampus",
        "list mod": "models",
        "data ver": "verify",
    }
    asked = "\n".join(
        f'COMP_WORDS=(zoo {words}); COMP_CWORD={len(words.split())}; COMPREPLY=(); _shtab_zoo; echo "${{COMPREPLY[@]}}"'
        for words in typed
    )
    script = f"{capsys.readouterr().out}\n{asked}"
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == list(typed.values())


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_a_script_with_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in ("predict", "bench", "completion"))
