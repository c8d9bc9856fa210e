"""Turns errors of Lightning and of the system that the user can fix into one line. Any other error is a bug."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zoo.engine.run_folder import RunFolder
from zoo.errors import CheckpointError, RunError
from zoo.utils.atomic_files import is_disk_full


@contextmanager
def explain_errors(folder: RunFolder) -> Iterator[None]:
    """Turn errors of Lightning and of the system that the user can fix into one line.

    Raises:
        RunError: The disk is full. Lightning's own files (hparams.yaml, metrics.csv) do not say which disk.
        CheckpointError: The checkpoint is of another network. Torch would list every tensor.
        KeyboardInterrupt: Ctrl-C, which Lightning turns into `SystemExit`.
    """
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise RunError(f"{folder.path}: cannot be written: {error}.", "Free some space and run it again.") from error
    except SystemExit as error:
        raise KeyboardInterrupt from error
    except RuntimeError as error:
        if "loading state_dict" not in str(error):
            raise
        first = " ".join(str(error).split("\n")[1:2]).strip()
        raise CheckpointError(
            f"{folder.path}: the checkpoint does not fit the model ({first.partition(': copying')[0][:160]}).",
            "Repeat the run's own --model, --size and options.",
        ) from error
