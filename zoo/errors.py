"""One exception tree. Every message says what is wrong and where, and then what to do.

The command line prints such an error as one line and exits with its code, which is nearly always 2
(`zoo.utils.exit_codes`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeVar, get_args

E = TypeVar("E", bound=BaseException)

Fault = Literal[
    "subject_leak",
    "duplicate_across_parts",
    "near_duplicate_across_parts",
    "case_twice",
    "unusable_name",
    "split",
    "missing_file",
    "unreadable",
    "incomplete_series",
    "dimensions",
    "shape_mismatch",
    "affine_unusable",
    "affine_mismatch",
    "not_finite",
    "constant_image",
    "label_values",
    "label_not_whole",
    "empty_mask",
    "mask_shared",
    "class_absent",
    "caption_table",
    "captions_of_others",
    "caption_missing",
    "caption_empty",
    "caption_doubled",
    "caption_without_image",
    "absence_contradiction",
    "side_contradiction",
    "shared_case",
    "duplicate",
    "near_duplicate",
]
"""The faults of a data set, the most serious first; `datamodules.index.findings` describes each of them."""

FAULTS: tuple[Fault, ...] = get_args(Fault)


def did_you_mean(
    typed: str,
    known: Iterable[str],
    otherwise: str = "",
    most: int = 2,
    cutoff: float = 0.5,
    prefix: str = "",
    suffix: str = "",
) -> str:
    """Return the hint of a message about an unknown name.

    Args:
        typed: The name as typed.
        known: The names that exist.
        otherwise: The hint if no name is similar.
        most: The largest number of suggested names.
        cutoff: The lowest similarity of a suggested name, in [0, 1]; see `difflib.get_close_matches`.
        prefix: Text before each suggested name.
        suffix: Text behind each suggested name.

    Example:
        >>> did_you_mean("unett", ["unet", "film"])
        'Did you mean unet?'
    """
    from difflib import get_close_matches  # only a mistake needs it

    near = get_close_matches(typed, list(known), n=most, cutoff=cutoff)
    return f"Did you mean {' or '.join(f'{prefix}{name}{suffix}' for name in near)}?" if near else otherwise


class ZooError(Exception):
    """An error that the user can fix.

    Args:
        message: What is wrong and where (a file, a key, a name).
        fix: What to do, as a sentence or a command.

    Attributes:
        problem: The message without `fix`.
        fix: The argument of the same name.
        code: The exit code of a command that ends with this error.

    Example:
        >>> str(ZooError("runs/a: no run is here.", "Train one first."))
        'runs/a: no run is here. Train one first.'
    """

    code = 2

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(f"{message} {fix}".strip())
        self.problem, self.fix = message, fix


class ConfigError(ZooError):
    """A configuration cannot be composed, or it is not the configuration that a run was started with."""


class DataError(ZooError):
    """A file of a data set is missing or unreadable, or it contradicts the card.

    Args:
        message: The problem; it begins with the file.
        fix: See `ZooError`.
        kind: The fault under which `zoo data verify` lists the file.
    """

    def __init__(self, message: str, fix: str = "", kind: Fault = "unreadable") -> None:
        super().__init__(message, fix)
        self.kind: Fault = kind


class NotApplicableError(DataError):
    """The data set can never have what is asked for. A benchmark leaves it out and prints the reason."""

    code = 3


class TextError(ZooError):
    """A prompt, a report or a text encoder cannot be used."""


class CheckpointError(ZooError):
    """A checkpoint is missing, unsafe or belongs to another model."""


class RunError(ZooError):
    """A run or a benchmark cannot start or continue."""


class UnknownNameError(ConfigError):
    """A name is in no registry.

    Args:
        kind: The kind of the name: "model", "data set", "text encoder".
        name: The name as typed.
        known: The names that exist.
        listing: The command that lists them.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], listing: str) -> None:
        names = sorted(known)
        hint = did_you_mean(name, names, f"Known: {', '.join(names)}.", most=3)
        super().__init__(f"Unknown {kind} '{name}'.", f"{hint} Run `{listing}`.")


def find_behind(error: BaseException | None, kind: type[E]) -> E | None:
    """Return the first error of a kind among an error and those that were handled when it was raised.

    Example:
        >>> error = RuntimeError("unexpected position")
        >>> error.__context__ = KeyboardInterrupt()
        >>> find_behind(error, KeyboardInterrupt), find_behind(error, OSError)
        (KeyboardInterrupt(), None)
    """
    while error is not None and not isinstance(error, kind):
        error = error.__context__
    return error


def first_line(error: BaseException) -> str:
    r"""Return the first line of what a library said of an error; the name of the error where it said nothing.

    Example:
        >>> first_line(RuntimeError("\nNo such file.\nThe stack is long.")), first_line(ValueError())
        ('No such file.', 'ValueError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def to_one_line(error: ZooError) -> str:
    """Return the message of an error as one line.

    The message of an error from a worker of a loader contains the traceback of that process; its last line is kept.
    """
    message = str(error)
    if "Original Traceback" in message:
        last = message.strip().splitlines()[-1]
        message = last.partition(": ")[2] or last
    return " ".join(message.split())
