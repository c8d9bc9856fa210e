"""Checkpoints: `last.ckpt` after each epoch and `best.ckpt` by `val/dice`, written completely and free of code."""

from __future__ import annotations

import hashlib
import logging
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from zoo.callbacks.manifest import RUN_KEY
from zoo.errors import CheckpointError, find_behind
from zoo.models.finite_values import check_weights
from zoo.utils.atomic_files import write_atomically
from zoo.utils.json_objects import read_object
from zoo.utils.termination import interrupt_kept, termination_held

MONITOR = "val/dice"

log = logging.getLogger(__name__)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves a checkpoint under another name in the same folder and renames it; loads only data.

    Lightning writes to the folder for temporary files. A move from there to another disk is a copy, which can be
    interrupted.

    Attributes:
        digests: SHA-256 of each file that was saved, computed while it was written.
    """

    def __init__(self) -> None:
        self.digests: dict[Path, str] = {}

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write the whole checkpoint to disk, then rename it."""
        target = Path(path)

        def write(temporary: Path) -> None:
            try:
                # opened here, so that the temporary name is not stored in it
                with interrupt_kept(), temporary.open("wb") as file:
                    hashing = _HashingFile(file)
                    torch.save(checkpoint, hashing)  # type: ignore[arg-type]  # it needs `write` and `flush` alone
                    self.digests[target.resolve()] = hashing.digest
            except RuntimeError as error:
                refusal = find_behind(error, OSError)  # torch reports only a truncated archive
                if refusal is None:
                    raise
                raise OSError(refusal.errno, refusal.strerror) from error

        with termination_held():  # torch makes another error of an exception that is raised while it writes
            write_atomically(target, write, durable=True, fix="Free some space and run again.")

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Load with `weights_only=True`, whatever the argument is.

        Raises:
            CheckpointError: There is no such file, or it is truncated or holds code.
        """
        return load(Path(path), map_location)


class _HashingFile:
    """A file that is hashed while it is written, so that a checkpoint of several gigabytes is not read again."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def write(self, content: bytes | memoryview) -> int:
        """Write and hash some bytes."""
        self._hash.update(content)
        return self._file.write(content)

    def flush(self) -> None:
        """Write what is buffered."""
        self._file.flush()

    @property
    def digest(self) -> str:
        """The SHA-256 of all bytes so far, in hex."""
        return self._hash.hexdigest()


def load(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Read the content of a checkpoint without running code in it.

    Raises:
        CheckpointError: There is no such file; it is truncated, damaged or holds code; another run has written it; or
            it has weights that are not finite.
    """
    with explain_load_errors(path):
        check_archive(path)
        # To the CPU first, so that a loaded model is not twice in the memory of a device.
        content: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        if not isinstance(content, Mapping):
            raise pickle.UnpicklingError(f"{path}: no mapping")
    _check_owner(path, content)
    if isinstance(content.get("state_dict"), Mapping):
        check_weights(content["state_dict"], str(path))
    return content


def check_archive(path: Path) -> None:
    """Compare each tensor of a checkpoint with its checksum, which torch writes and does not read.

    Raises:
        CheckpointError: A tensor was damaged.
    """
    if not zipfile.is_zipfile(path):
        return  # torch itself refuses a file that is no archive, or reads its old format
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged:
        raise CheckpointError(f"{path}: the file is damaged ({damaged}).", "Name another checkpoint: --ckpt.")


def _check_owner(path: Path, content: Any) -> None:
    """Refuse a checkpoint in a run folder that another run has written."""
    manifest = path.parent.parent / "manifest.json"
    owner = content.get(RUN_KEY) if isinstance(content, dict) else None
    if not owner or not manifest.is_file():
        return
    expected = read_object(manifest).get("config_hash")
    if expected and expected != owner:
        raise CheckpointError(
            f"{path}: the checkpoint of another run (configuration {owner[:12]}, not {expected[:12]}).",
            f"Put the checkpoint of {manifest.parent} back, or train again with `zoo fit` into another --out.",
        )


@contextmanager
def explain_load_errors(path: Path) -> Iterator[None]:
    """Turn what torch raises for a file that is no checkpoint into one line.

    Raises:
        CheckpointError: There is no such file, or it is truncated or holds code.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: no such checkpoint.", "Train first with `zoo fit`, or name one: --ckpt."
        ) from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, zipfile.BadZipFile) as error:
        # For a file that is no checkpoint, torch explains its own arguments at length.
        reason = "its content is not that of a checkpoint" if isinstance(error, pickle.UnpicklingError) else str(error)
        problem = reason.strip().split("\n")[0][:160]
        raise CheckpointError(
            f"{path}: not a checkpoint that can be loaded ({problem}).", "Name another checkpoint: --ckpt."
        ) from error


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt` at the end of each epoch, after validation."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            dirpath=folder, filename="last", monitor=None, save_on_train_epoch_end=True, enable_version_counter=False
        )


class BestCheckpoint(ModelCheckpoint):
    """Writes `best.ckpt`, the checkpoint with the highest `val/dice`. A model that logs no `val/dice` has none."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            dirpath=folder,
            filename="best",
            monitor=MONITOR,
            mode="max",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
            auto_insert_metric_name=False,
        )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save if the validation of this epoch was the best so far."""
        if MONITOR in trainer.callback_metrics:
            super().on_train_epoch_end(trainer, pl_module)
        else:
            log.debug("No %s was logged; no best checkpoint.", MONITOR)


def checkpoints(folder: Path) -> list[ModelCheckpoint]:
    """Return the two callbacks of a run; the best comes first, so that `last.ckpt` has its state."""
    return [BestCheckpoint(folder), LastCheckpoint(folder)]
