"""Turns errors that the user can fix into one line: what Lightning, a logger, a callback or a model refuses.

An error counts as a refusal by the place where it was raised. Any other error is a bug and keeps its traceback.
"""

from __future__ import annotations

import linecache
import re
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import zoo
from zoo.engine.arguments import Flag
from zoo.engine.run_folder import RunFolder
from zoo.errors import CheckpointError, ConfigError, RunError, ZooError
from zoo.utils.atomic_files import is_disk_full
from zoo.utils.extras import advise_missing
from zoo.utils.termination import Terminated, was_terminated

_HERE = Path(zoo.__file__).parents[1]
_OURS = tuple(f"{_HERE / package}/" for package in ("zoo", "datamodules", "benchmarks"))
_STANDARD = (sysconfig.get_path("stdlib"), "<")
_LIBRARIES = ("/site-packages/", "/dist-packages/")
_WRAPPER = "/jsonargparse/"

_CHECKED = (ValueError, TypeError, NotImplementedError, ImportError)
"""Errors that a model or a data set raises on purpose for a value that it does not accept."""

_READ_BY_LIGHTNING = re.compile(r"(train|val|test|predict)_dataloader|configure_optimizers")
"""Methods of data and models that hand options on to torch when the trainer starts."""

_READS_NO_OPTION = re.compile(r"/zoo/(engine|cli|callbacks)/")
"""Files of ours that build or run the trainer."""

_FIXES = {
    "trainer": "Change or leave out that option; `zoo list trainers` has presets that work.",
    "model": "Change or leave out that option; `zoo show NAME` has the values of the card.",
    "data": "Change or leave out that option; `zoo show NAME` has the values of the card.",
}

_MOST = 400

_SMALLER = "Give a smaller --data.patch or --data.batch_size, or fewer --data.num_workers."


@contextmanager
def explain_errors(folder: RunFolder, flags: Iterable[Flag] = ()) -> Iterator[None]:
    """Turn errors of a running trainer that the user can fix into one line.

    Args:
        folder: The run folder, for messages.
        flags: The flags of the command, of which the message names those that the library refuses.

    Raises:
        ConfigError: Lightning or torch refuses an option: the error was raised on purpose by a library, and none of our
            code was between, except for a method that hands options on.
        RunError: The memory ran out; or the disk is full, and Lightning's own files do not say which disk.
        CheckpointError: The checkpoint is of another network. Torch would list every tensor.
        KeyboardInterrupt: Ctrl-C, which Lightning turns into `SystemExit`.
        Terminated: SIGTERM, after which Lightning may raise an exception of its own.
    """
    try:
        yield
    except ZooError:
        raise
    except SystemExit as error:
        raise (Terminated() if was_terminated() else KeyboardInterrupt()) from error
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise RunError(f"{folder.path}: cannot be written: {error}.", "Free some space and run it again.") from error
    except Exception as error:
        if is_out_of_memory(error):
            reason = " ".join(str(error).split()) or type(error).__name__
            raise RunError(f"{folder.path}: memory ran out: {reason[:_MOST]}", _SMALLER) from error
        if isinstance(error, RuntimeError) and "loading state_dict" in str(error):
            first = " ".join(str(error).split("\n")[1:2]).strip()
            raise CheckpointError(
                f"{folder.path}: the checkpoint does not fit the model ({first.partition(': copying')[0][:160]}).",
                "Repeat the run's own --model, --size and options.",
            ) from error
        frames = [frame for frame in _frames(error) if frame.owner != "standard"]
        inner = next((place for place, frame in enumerate(frames) if frame.owner == "library"), len(frames))
        own = [frame for frame in frames[inner:] if frame.owner != "library"]
        handed_on = not own or _READ_BY_LIGHTNING.fullmatch(own[0].function)
        last = frames[-1] if frames else None
        refused = last and last.owner == "library" and (last.on_purpose or isinstance(error, ArithmeticError))
        if not (handed_on and refused):
            raise
        raise _refusal(error, frames[inner:], flags) from error


@contextmanager
def explain_construction(flags: Iterable[Flag]) -> Iterator[None]:
    """Turn errors of the constructors of data, model, trainer, loggers and callbacks into one line.

    Args:
        flags: The flags of the command, of which the message names those that are refused.

    Raises:
        ZooError: A constructor of ours refuses a value.
        ConfigError: A library refuses a value, or a model or a data set raises an error on purpose.
    """
    try:
        yield
    except Exception as error:
        root = _unwrap(error)
        if isinstance(root, ZooError):
            raise root from error
        frames = [frame for frame in _frames(root) if frame.owner != "standard"]
        last = frames[-1] if frames else None
        if last is None or not (last.owner == "library" or (last.on_purpose and isinstance(root, _CHECKED))):
            raise
        raise _refusal(root, frames, flags) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of Python, numpy or torch says that memory ran out, on a GPU or on the machine."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or "DefaultCPUAllocator" in str(error)


class _Frame:
    """One frame of a traceback.

    Attributes:
        function: Name of the function.
        owner: "ours", "library", "standard" for Python's own library, or "user".
        file: The file of the code.
        on_purpose: Whether the line is a `raise` or an `assert`, and passes on no error of another process.
    """

    def __init__(self, traceback: TracebackType) -> None:
        code = traceback.tb_frame.f_code
        self.function, self.file = code.co_name, code.co_filename
        self.owner = _owner(code.co_filename)
        line = linecache.getline(code.co_filename, traceback.tb_lineno).strip()
        self.on_purpose = line.startswith(("raise ", "assert ", "raise(")) and code.co_name != "reraise"


def _frames(error: BaseException) -> list[_Frame]:
    frames, traceback = [], error.__traceback__
    while traceback is not None:
        frames.append(_Frame(traceback))
        traceback = traceback.tb_next
    return frames


def _owner(file: str) -> str:
    if file.startswith(_OURS):
        return "ours"
    if any(folder in file for folder in _LIBRARIES):
        return "library"
    return "standard" if file.startswith(_STANDARD) else "user"


def _unwrap(error: BaseException) -> BaseException:
    """Return the error of a constructor, which jsonargparse wraps in its own errors."""
    while error.__cause__ is not None and error.__cause__ is not error:
        traceback = error.__traceback__
        while traceback is not None and traceback.tb_next is not None:
            traceback = traceback.tb_next
        if traceback is None or _WRAPPER not in traceback.tb_frame.f_code.co_filename:
            break
        error = error.__cause__
    return error


def _refusal(error: BaseException, frames: Sequence[_Frame], flags: Iterable[Flag]) -> ConfigError:
    """Return the line for an error: the flags that it is about, its reason, and what to do."""
    reason = " ".join(str(error).split()) or type(error).__name__
    section = _section(frames)
    last = dict(flags)  # the last value of an option counts
    meant = [flag for flag in last.items() if _is_meant(*flag, reason)]
    meant = meant or [flag for flag in last.items() if flag[0].startswith(f"{section}.")]
    shown = ", ".join(f"--{key}{'=' if key[-1] == '+' else ' '}{value}" for key, value in meant[:4]) or f"--{section}"
    missing = advise_missing(reason) if isinstance(error, ImportError) else ""
    reason = reason if len(reason) <= _MOST else f"{reason[:_MOST]} ..."
    return ConfigError(
        f"{shown}: {reason}" + ("" if reason.endswith((".", "!", "?")) else "."),
        missing or _FIXES[section],
    )


def _section(frames: Sequence[_Frame]) -> str:
    """Return the section whose class was built or asked: that of the last code which is no library's."""
    own = next((frame for frame in reversed(frames) if frame.owner in ("ours", "user")), None)
    if own is None or _READS_NO_OPTION.search(own.file):
        return "trainer"
    return "data" if "/datamodules/" in own.file or "dataloader" in own.function else "model"


def _is_meant(key: str, value: str, reason: str) -> bool:
    """Whether the reason of a refusal names a flag by the end of its key, or by a value that is a word."""
    name = key.rstrip("+").rpartition(".")[2]
    named = re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", reason, re.IGNORECASE)
    words = {value.lower(), value.rpartition(".")[2].removesuffix("Logger").lower()}
    return bool(named) or any(len(word) > 2 and word in reason.lower() for word in words)
