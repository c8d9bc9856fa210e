"""Parses the words of a command into a `Request`, and merges the layers of a `Request`. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from zoo.config import Composed, check_seed, compose
from zoo.engine.options import Option, find_option, options_of
from zoo.engine.planned_size import plan_size
from zoo.engine.run_folder import RunFolder
from zoo.engine.training_options import add_callbacks
from zoo.errors import ConfigError, did_you_mean
from zoo.utils.config_files import check_config, without_foreign_callbacks
from zoo.utils.foreign_names import advise_without_option, find_own_option
from zoo.utils.literal_text import escape_interpolation

Flag = tuple[str, str]
"""A dotted key and its value as the user typed them: ("model.lr", "5e-4")."""

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
        init_from: Value of `--init-from`.
        seed: Value of `--seed`; None if it is not given.
        accumulate: Batches per optimiser step; None if it is not given.
        ema: Decay of the average of the weights; None without an average.
        freeze: What keeps its weights: "encoder", the vision encoder; empty for nothing.
        early_stopping: Validations without a better score after which training stops; None without.
        loggers: Values of `--logger`.
        overlays: Epochs between two pictures of a case in the loggers; 0 for none, None if it is not given.
        files: The `-c` files, in the order of the command.
        flags: Dotted flags, in an order that does not depend on the order of the command.
        conventions: Values of `--convention`.
        find_lr: Whether the command only looks for a learning rate.
        yes: Whether a training of more than a day may start.
        print_config: Whether the command only prints the resolved configuration.
        help: What the command only prints: "options", "all" for those of Lightning too, or nothing.
        words: The words as the user typed them.
    """

    verb: str
    model: str | None = None
    data: str | None = None
    size: str | None = None
    preset: str | None = None
    out: Path | None = None
    ckpt: Path | None = None
    init_from: Path | None = None
    seed: int | None = None
    accumulate: int | None = None
    ema: float | None = None
    freeze: str = ""
    early_stopping: int | None = None
    loggers: tuple[str, ...] = ()
    overlays: int | None = None
    files: tuple[Path, ...] = ()
    flags: tuple[Flag, ...] = ()
    conventions: tuple[str, ...] = ()
    find_lr: bool = False
    yes: bool = False
    print_config: bool = False
    help: str = ""
    words: tuple[str, ...] = field(default=(), compare=False)

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
    request = Request(verb, words=tuple(argv))
    flags: list[Flag] = []
    words = list(argv)
    while words:
        typed, equals, value = words.pop(0).partition("=")
        option = find_option(typed)
        _check_option(verb, typed, option)
        if not equals:
            value = _take_value(typed, option, words)
        if option:
            request = _with_option(request, option, value)
        else:
            flags.append((typed[2:], value))
    return replace(request, flags=_in_order([*request.flags, *flags]))


def _take_value(typed: str, option: Option | None, words: list[str]) -> str:
    """Remove the value of an option from the words behind it; a switch has none, and some options can do without."""
    if option and not option.value:
        return ""
    following = words[0] if words and not words[0].startswith("--") else None
    if option and option.default:
        return words.pop(0) if following and option.takes(following) else option.default
    if following is None:
        raise ConfigError(f"{typed} needs a value.", f"Write `{typed} {option.value if option else 'VALUE'}`.")
    return words.pop(0)


def compose_request(request: Request) -> Composed:
    """Merge the layers of a command.

    `fit` starts from cards. The other verbs start from the configuration of the run that `--out` names, if any.

    Raises:
        ConfigError: The model or the data is missing, a name is unknown, or the run in `--out` has other names.
        RunError: `--out` names no run.
    """
    folder = request.run_folder
    base = escape_interpolation(folder.read_config()) if folder and request.verb != "fit" else None
    if folder and base is not None:
        if folder.read_manifest().get("config_hash"):  # `zoo fit` has trained this run
            base, _ = without_foreign_callbacks(base)  # a flag that repeats one of them adds it again
        check_config(base, str(folder.config), confirmed=" ".join(value for _, value in request.flags))
    composed = compose(
        request.model,
        request.data,
        size=request.size,
        preset=request.preset,
        files=request.files,
        base=base,
        planner=partial(plan_size, flags=request.flags),
    )
    missing = [f"--{key}" for key in ("model", "data") if not getattr(composed, key) and key not in composed.config]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} missing.",
            f"Write `zoo {request.verb} --model NAME --data NAME` (`zoo list models`, `zoo list data`)"
            + (", or `--out DIR` of a run." if request.verb in ("validate", "test", "predict") else "."),
        )
    composed = add_callbacks(request, composed)
    if folder and base is not None:
        folder.check_agrees(composed, request.size)
    return _fill_names(composed)


def _fill_names(composed: Composed) -> Composed:
    """Use the class names where the model and the data come from a file and have no other name."""
    names = {
        key: (composed.config.get(key) or {}).get("class_path", "").rpartition(".")[2]
        for key in ("model", "data")
        if not getattr(composed, key)
    }
    return replace(composed, **names)


def _check_option(verb: str, typed: str, option: Option | None) -> None:
    """Check that a word is an option of the command, or a dotted key of one of its sections.

    Raises:
        ConfigError: It is neither. The message has the option that was meant.
    """
    if option:
        if verb not in option.verbs:
            raise ConfigError(
                f"{typed} is no option of `zoo {verb}`.",
                _say_where(verb, option),
            )
        return
    if not typed.startswith("-"):
        raise ConfigError(f"Unexpected word '{typed}'.", "Every option is written `--name value`.")
    section, _, key = typed[2:].partition(".")
    if key and section in _SECTIONS:
        if key.removeprefix("init_args.").endswith("class_path") and key.count(".") == 0:
            raise ConfigError(f"{typed} changes a class.", f"Choose the class with --{section}.")
        return
    otherwise = f"Run `zoo {verb} --help`."
    if key:
        hint = did_you_mean(section, _SECTIONS, otherwise, most=1, prefix="--", suffix=f".{key}")
    else:
        hint = _hint(verb, typed) or otherwise
    raise ConfigError(f"Unknown option '{typed}'.", hint)


def _hint(verb: str, typed: str) -> str:
    """Return the option of a command that an unknown word means; empty if none is known."""
    own = find_own_option(typed)
    option = find_option(own.partition(" ")[0])
    if option and verb not in option.verbs:
        return f"Our name is {own}. {_say_where(verb, option)}"
    if own:
        return f"Did you mean {own}?"
    known = [option.name for option in options_of(verb) if option.name.startswith("--")]
    return advise_without_option(typed) or did_you_mean(typed, known, cutoff=0.6)


def _say_where(verb: str, option: Option) -> str:
    """Return what to do about an option that another command has."""
    others = f"It is an option of `zoo {option.verbs[0]}`. See `zoo {verb} --help`."
    return _ELSEWHERE.get((verb, option.name), others)


_ELSEWHERE = {
    ("fit", "--ckpt"): (
        "`zoo fit --out DIR` continues a run from its own last checkpoint; "
        "`--init-from FILE` starts a new run from the weights of a file."
    ),
    **{
        (verb, "--init-from"): "`zoo fit` starts from these weights; --ckpt FILE is the checkpoint to evaluate."
        for verb in ("validate", "test", "predict", "profile")
    },
}
"""What to do about an option that another command has."""


def _with_option(request: Request, option: Option, value: str) -> Request:
    field = option.field
    if not option.value:
        return replace(request, **{field: True})  # type: ignore[arg-type]
    if option.choices and value not in (*option.choices, option.default):
        hint = did_you_mean(value, option.choices, f"Choose {' or '.join(option.choices)}.", most=1, cutoff=0.4)
        raise ConfigError(f"Unknown {option.name[2:]} '{value}'.", hint)
    if field == "precision":
        return replace(request, flags=(*request.flags, ("trainer.precision", value)))
    read: object = value
    if field == "files":
        read = (*request.files, Path(value))
    elif field in ("loggers", "conventions"):
        read = (*getattr(request, field), value)
    elif field in ("out", "ckpt", "init_from"):
        read = Path(value).expanduser()
    elif field == "seed":
        read = check_seed(value, option.name)
    elif field in _NUMBERS:
        read = _read_number(option, value, *_NUMBERS[field])
    return replace(request, **{field: read})  # type: ignore[arg-type]


_NUMBERS: dict[str, tuple[type[int] | type[float], float, str, str]] = {
    "accumulate": (int, 1, "the number of batches is a whole number from 1", "4"),
    "ema": (float, 0, "a decay is a number between 0 and 1", "0.999"),
    "overlays": (int, 0, "the number of epochs is a whole number from 0", "5"),
    "early_stopping": (int, 1, "the number of validations is a whole number from 1", "10"),
}
"""Options with a number: its type, its least value, what it is, and an example."""


def _read_number(
    option: Option, value: str, kind: type[int] | type[float], least: float, what: str, as_in: str
) -> float:
    try:
        number = kind(value) if value.isascii() else None
    except ValueError:
        number = None
    if number is None or not least <= number < math.inf or "_" in value:
        raise ConfigError(f"{option.name} {value}: {what}.", f"Write `{option.name} {as_in}`.")
    return number


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
