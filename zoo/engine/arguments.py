"""Parses the words of a command into a `Request`, and merges the layers of a `Request`. No torch here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zoo.config import SIZES, Composed, compose
from zoo.engine.run_folder import RunFolder
from zoo.errors import ConfigError, did_you_mean

Flag = tuple[str, str]
"""A dotted key and its value as the user typed them: ("model.lr", "5e-4")."""

_OPTIONS = {
    "--model": "model",
    "--data": "data",
    "--size": "size",
    "--trainer": "preset",
    "--out": "out",
    "--ckpt": "ckpt",
    "--seed": "seed",
    "--seed_everything": "seed",
    "-c": "files",
    "--config": "files",
}
_SWITCHES = ("--print_config", "--help", "-h")
_SECTIONS = ("model", "data", "trainer")


@dataclass(frozen=True, slots=True)
class Request:
    """One command of `zoo fit|validate|test|predict`.

    Attributes:
        verb: "fit", "validate", "test" or "predict".
        model: Value of `--model`.
        data: Value of `--data`.
        size: Value of `--size`.
        preset: Value of `--trainer`.
        out: Value of `--out`.
        ckpt: Value of `--ckpt`.
        seed: Value of `--seed`; None if it is not given.
        files: The `-c` files, in the order of the command.
        flags: Dotted flags, in an order that does not depend on the order of the command.
        print_config: Whether the command only prints the resolved configuration.
        help: Whether the command only prints the usage.
    """

    verb: str
    model: str | None = None
    data: str | None = None
    size: str | None = None
    preset: str | None = None
    out: Path | None = None
    ckpt: Path | None = None
    seed: int | None = None
    files: tuple[Path, ...] = ()
    flags: tuple[Flag, ...] = ()
    print_config: bool = False
    help: bool = False

    @property
    def run_folder(self) -> RunFolder | None:
        """The run folder that `--out` names; None where the default folder is meant."""
        return RunFolder(self.out) if self.out else None


def parse(verb: str, argv: Sequence[str]) -> Request:
    """Parse the words after a verb.

    Args:
        verb: "fit", "validate", "test", "predict" or "profile".
        argv: The words.

    Raises:
        ConfigError: An option is unknown, a value is missing or invalid, or a word is no option.

    Example:
        >>> parse("fit", ["--model", "unet", "--model.lr", "0.1"]).flags
        (('model.lr', '0.1'),)
    """
    request = Request(verb)
    flags: list[Flag] = []
    words = list(argv)
    while words:
        option, equals, value = words.pop(0).partition("=")
        if option in _SWITCHES:
            shown = option == "--print_config"
            request = replace(request, print_config=True) if shown else replace(request, help=True)
            continue
        _check_option(option)
        if verb == "fit" and option == "--ckpt":
            raise ConfigError(
                "--ckpt is no option of `zoo fit`.",
                "`zoo fit --out DIR` continues a run from its own last checkpoint.",
            )
        if not equals:
            if not words or words[0].startswith("--"):
                raise ConfigError(f"{option} needs a value.", f"Write `{option} VALUE`.")
            value = words.pop(0)
        if option in _OPTIONS:
            request = _with_option(request, option, value)
        else:
            flags.append((option[2:], value))
    return replace(request, flags=_in_order(flags))


def compose_request(request: Request) -> Composed:
    """Merge the layers of a command.

    `fit` starts from cards. The other verbs start from the configuration of the run that `--out` names, if any.

    Raises:
        ConfigError: The model or the data is missing, a name is unknown, or the run in `--out` has other names.
        RunError: `--out` names no run.
    """
    folder = request.run_folder
    base = folder.read_config() if folder and request.verb != "fit" else None
    composed = compose(
        request.model, request.data, size=request.size, preset=request.preset, files=request.files, base=base
    )
    missing = [f"--{key}" for key in ("model", "data") if not getattr(composed, key) and key not in composed.config]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} missing.",
            f"Write `zoo {request.verb} --model NAME --data NAME` (`zoo list models`, `zoo list data`)"
            + (", or `--out DIR` of a run." if request.verb in ("validate", "test", "predict") else "."),
        )
    if folder and base is not None:
        folder.check_agrees(composed)
    return _fill_names(composed)


def _fill_names(composed: Composed) -> Composed:
    """Use the class names where the model and the data come from a file and have no other name."""
    names = {
        key: (composed.config.get(key) or {}).get("class_path", "").rpartition(".")[2]
        for key in ("model", "data")
        if not getattr(composed, key)
    }
    return replace(composed, **names)


def _check_option(option: str) -> None:
    if option in _OPTIONS:
        return
    if not option.startswith("-"):
        raise ConfigError(f"Unexpected word '{option}'.", "Every option is written `--name value`.")
    section, _, key = option[2:].partition(".")
    if key and section in _SECTIONS:
        if key.removeprefix("init_args.").endswith("class_path") and key.count(".") == 0:
            raise ConfigError(f"{option} changes a class.", f"Choose the class with --{section}.")
        return
    known = [*_OPTIONS, *_SWITCHES[:2]]
    otherwise = "Run `zoo --help`."
    if key:
        hint = did_you_mean(section, _SECTIONS, otherwise, most=1, prefix="--", suffix=f".{key}")
    else:
        hint = did_you_mean(option, known, otherwise, cutoff=0.6)
    raise ConfigError(f"Unknown option '{option}'.", hint)


def _with_option(request: Request, option: str, value: str) -> Request:
    name = _OPTIONS[option]
    if name == "files":
        return replace(request, files=(*request.files, Path(value)))
    if name in ("out", "ckpt"):
        return replace(request, **{name: Path(value).expanduser()})  # type: ignore[arg-type]
    if name == "seed":
        if not value.isdecimal():
            raise ConfigError(f"{option} {value}: a seed is a whole number from 0.", f"Write `{option} 0`.")
        return replace(request, seed=int(value))
    if name == "size" and value not in SIZES:
        hint = did_you_mean(value, SIZES, f"Choose {' or '.join(SIZES)}.", most=1, cutoff=0.4)
        raise ConfigError(f"Unknown size '{value}'.", hint)
    return replace(request, **{name: value})  # type: ignore[arg-type]


def _in_order(flags: Iterable[Flag]) -> tuple[Flag, ...]:
    """Sort flags by key, so that the order of the command does not matter; equal keys keep their order.

    Flags that append to a list (`--trainer.callbacks+=X`) and the arguments of an appended entry
    (`--trainer.callbacks.patience=3`) keep their order, because they refer to the last entry.
    """
    flags = [(key, _absolute(key, value)) for key, value in flags]
    lists = tuple(key[:-1] for key, _ in flags if key.endswith("+"))

    def sort_key(flag: Flag) -> str:
        key = flag[0]
        return next((name for name in lists if key.startswith(name)), key)

    return tuple(sorted(flags, key=sort_key))


def _absolute(key: str, value: str) -> str:
    """Make the folder of the data absolute, so that the stored configuration is valid in any working directory."""
    is_root = key in ("data.root", "data.init_args.root") and value not in ("null", "")
    return str(Path(value).expanduser().absolute()) if is_root else value
