"""One exception tree. Every message says what is wrong, where, and what to do next.

The command line prints such an error as one line and exits with its code, 2 but for few (`zoo.utils.exit_codes`).
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Literal, get_args

Fault = Literal[
    "subject_leak",
    "duplicate_across_parts",
    "near_duplicate_across_parts",
    "case_twice",
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
    "caption_missing",
    "caption_empty",
    "caption_doubled",
    "caption_without_image",
    "side_contradiction",
    "duplicate",
    "near_duplicate",
]
"""What can be wrong with a data set, weightiest first; `datamodules.index.findings` says each in words."""

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
    """The hint of a message about an unknown name.

    Args:
        typed: The name as typed.
        known: The names that exist.
        otherwise: The hint where no name is near.
        most: At most so many names are suggested.
        cutoff: Similarity in [0, 1] from which a name is near; see `difflib.get_close_matches`.
        prefix: Stands before each suggested name.
        suffix: Stands behind each suggested name.

    >>> did_you_mean("unett", ["unet", "film"])
    'Did you mean unet?'
    """
    near = get_close_matches(typed, list(known), n=most, cutoff=cutoff)
    return f"Did you mean {' or '.join(f'{prefix}{name}{suffix}' for name in near)}?" if near else otherwise


class ZooError(Exception):
    """An error that the user can mend.

    Args:
        message: What is wrong and where (a file, a key, a name).
        fix: The next step, as a sentence or a command.

    Attributes:
        problem: The message alone.
        fix: As given.
        code: Exit code of the command that ends with it.
    """

    code = 2

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(f"{message} {fix}".strip())
        self.problem, self.fix = message, fix


class ConfigError(ZooError):
    """A configuration cannot be composed or differs from the one a run was started with."""


class DataError(ZooError):
    """A file of a data set is missing, unreadable or not what its card says.

    Args:
        message: Begins with the file.
        fix: As in `ZooError`.
        kind: Under which kind `zoo data verify` lists it.
    """

    def __init__(self, message: str, fix: str = "", kind: Fault = "unreadable") -> None:
        super().__init__(message, fix)
        self.kind: Fault = kind


class NotApplicableError(DataError):
    """What is asked for cannot be had of this data set, whatever is done; a benchmark leaves it out and says so."""

    code = 3


class TextError(ZooError):
    """A prompt, a report or a text encoder cannot be used."""


class CheckpointError(ZooError):
    """A checkpoint is missing, unsafe or belongs to another model."""


class RunError(ZooError):
    """A run or a benchmark cannot start or go on."""


class UnknownNameError(ConfigError):
    """A name stands in no registry.

    Args:
        kind: What was looked for: "model", "data set", "text encoder".
        name: The name as typed.
        known: The names that exist.
        listing: The command that lists them.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], listing: str) -> None:
        names = sorted(known)
        hint = did_you_mean(name, names, f"Known: {', '.join(names)}.", most=3)
        super().__init__(f"Unknown {kind} '{name}'.", f"{hint} Run `{listing}`.")


def to_one_line(error: ZooError) -> str:
    """What an error says. One raised in a loader's worker comes wrapped in that process's traceback."""
    said = str(error)
    if "Original Traceback" in said:
        last = said.strip().splitlines()[-1]
        said = last.partition(": ")[2] or last
    return " ".join(said.split())
