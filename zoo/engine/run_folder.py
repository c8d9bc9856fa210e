"""The folder of a run: its files, its configuration, and whether it is finished. No torch here."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo.config import Composed, config_hash, differing_keys
from zoo.errors import CheckpointError, ConfigError, RunError
from zoo.registry import read_yaml
from zoo.utils.atomic_files import UNFINISHED
from zoo.utils.format import list_some
from zoo.utils.json_objects import read_object

_PATHS_OF_9890FDA = re.compile(
    r"zoo\.models\.(bipvl\.BiPVL|film\.FiLM|lan_guide\.LanGuide|tevia\.TeViA|tmca\.TMCA|unet\.UNet)"
    r"|datamodules\.(acdc|amos22|brats|btcv|chaos|hippocampus|image_text_folder|mmwhs|monuseg|mosmed_plus|msd"
    r"|nifti_folder|phantom_abdomen|phantom_chest|polyps|qata_cov19)\.[A-Z]\w*"
)
"""Class paths in run folders of commit 9890fda; the modules have moved since then."""


_LOCK = ".fit.lock"


class State(Enum):
    """The state of a run: no run, a run that can be continued, or a finished run."""

    NEW = "new"
    UNFINISHED = "unfinished"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run.

    Attributes:
        path: The folder; it need not exist yet.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.yaml"

    @property
    def manifest(self) -> Path:
        """The manifest: versions, data, split, budget and times of the run."""
        return self.path / "manifest.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of `last.ckpt` and `best.ckpt`."""
        return self.path / "checkpoints"

    @property
    def last(self) -> Path:
        """The checkpoint of the last complete epoch."""
        return self.checkpoints / "last.ckpt"

    @property
    def metrics(self) -> Path:
        """The values that training logged."""
        return self.path / "metrics.csv"

    def scores(self, text: str) -> Path:
        """Return the score file of `zoo test` with a text control (`zoo.text.controls.CONTROLS`)."""
        return self.path / f"test{_suffix(text)}" / "cases.csv"

    @property
    def overlays(self) -> Path:
        """The folder of the pictures of `zoo test` with the true text."""
        return self.path / "test" / "overlays"

    def predictions(self, text: str) -> Path:
        """Return the folder of `zoo predict`."""
        return self.path / f"predictions{_suffix(text)}"

    def read_config(self) -> dict[str, Any]:
        """Read the configuration of the run.

        Raises:
            RunError: There is no run in the folder, or an older version of the zoo wrote it.
        """
        if not self.config.is_file():
            raise RunError(f"{self.path}: no run is here.", f"Train one first: `zoo fit ... --out {self.path}`.")
        config = read_yaml(self.config)
        for section in ("model", "data"):
            chosen = config.get(section)
            path = str(chosen.get("class_path", "")) if isinstance(chosen, Mapping) else ""
            if _PATHS_OF_9890FDA.fullmatch(path):
                raise RunError(
                    f"{self.config}: {section}.class_path {path} is a name of an older version.",
                    "Use the run with that version (`git checkout 9890fda`), or choose another --out.",
                )
        return config

    def read_manifest(self) -> dict[str, Any]:
        """Read the manifest; return an empty dictionary if there is none.

        Raises:
            RunError: The file is not a JSON object.
        """
        if not self.manifest.is_file():
            return {}
        return read_object(self.manifest)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other training out of the folder. The kernel frees the lock when the process ends.

        Raises:
            RunError: Another process trains in this folder.
        """
        lock = FileLock(self.path / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"{self.path}: another process trains in this folder.", "Wait for its end, or choose another --out."
            ) from None
        try:
            yield
        finally:
            if [path.name for path in self.path.iterdir()] == [_LOCK]:
                Path(lock.lock_file).unlink()  # so that an empty folder can be removed
            lock.release()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folder and check that it is writable; remove it afterwards if it is empty.

        Raises:
            RunError: The folder cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written: {error.strerror}.", "Choose another --out.") from error
        try:
            yield
        finally:
            with suppress(OSError):  # only an empty folder can be removed
                self.path.rmdir()

    def remove_unfinished(self) -> None:
        """Remove the unfinished files of an interrupted training; the caller holds the lock of the folder."""
        for folder in (self.path, self.checkpoints):
            for left in folder.glob(f"{UNFINISHED}*"):
                if not left.is_dir():  # of another command, such as a package that is written into the run folder
                    left.unlink(missing_ok=True)

    @contextmanager
    def restored_if_refused(self) -> Iterator[None]:
        """Remove the record of a new run whose options are refused before its first checkpoint.

        The same folder then accepts the corrected command.
        """
        names = (self.config, self.manifest, self.metrics, self.path / "hparams.yaml")
        new = [path for path in names if not path.exists()]
        try:
            yield
        except ConfigError:
            if self.config in new and not any(self.checkpoints.glob("*.ckpt")):
                for path in new:
                    path.unlink(missing_ok=True)
                with suppress(OSError):  # only an empty folder can be removed
                    self.checkpoints.rmdir()
            raise

    def state(self, config: Mapping[str, Any], manifest: Mapping[str, Any] | None = None) -> State:
        """Return the state of the run with this configuration.

        Args:
            config: The configuration.
            manifest: The manifest of the folder; None to read it.

        Raises:
            RunError: The folder has files of something else.
            ConfigError: The folder has a run with another configuration; the message has the keys that differ.
        """
        if not self.config.is_file():
            present = [p.name for p in (self.manifest, self.checkpoints, self.metrics) if p.exists()]
            if present or (self.path.exists() and not self.path.is_dir()):
                what = ", ".join(present) or "a file"
                raise RunError(f"{self.path}: has {what} but no config.yaml of a run.", "Choose another --out.")
            return State.NEW
        found = self.read_config()
        if not {"model", "data", "trainer"} <= found.keys():
            raise RunError(f"{self.config}: this is not the configuration of a run.", "Choose another --out.")
        differing = differing_keys(found, config)
        if differing:
            shown = list_some([f"{key} ({old} -> {new})" for key, old, new in differing], most=8)
            raise ConfigError(
                f"{self.path}: has a run with another configuration: {shown}.",
                "Choose another --out, or repeat the options of the run.",
            )
        content = self.read_manifest() if manifest is None else manifest
        return State.FINISHED if content.get("finished") else State.UNFINISHED

    def checkpoint(self, wanted: Path | None) -> Path:
        """Return the checkpoint to evaluate: `wanted`, else the best, else the last.

        Raises:
            CheckpointError: There is no such file, or `wanted` is not in the run folder.
        """
        if wanted and wanted.is_file() and not wanted.resolve().is_relative_to(self.path.resolve()):
            raise CheckpointError(
                f"{wanted}: no checkpoint of the run in {self.path}, whose scores would be replaced.",
                "Name the folder of its own run with --out.",
            )
        candidates = [wanted] if wanted else [self.checkpoints / "best.ckpt", self.last]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        where = wanted or self.checkpoints
        raise CheckpointError(f"{where}: no checkpoint is here.", f"Train first: `zoo fit ... --out {self.path}`.")

    def check_agrees(self, composed: Composed, size: str | None = None) -> None:
        """Check that the names in the command, if it gives any, are those of this run.

        Args:
            composed: The merged layers of the command.
            size: Value of `--size`; None if it is not given.

        Raises:
            ConfigError: A name is another one.
        """
        manifest = self.read_manifest()
        for key, typed in (("model", composed.model), ("data", composed.data), ("size", size)):
            if typed and manifest.get(key) not in (None, typed):
                raise ConfigError(
                    f"{self.path}: the {key} of this run is {manifest[key]}, not {typed}.",
                    f"Leave out --{key}, or choose another --out.",
                )


def default_folder(composed: Composed, config: Mapping[str, Any]) -> RunFolder:
    """Return `runs/<data>/<model>-<size>/<first 8 digits of the hash>-s<seed>`; the title of own data is in <data>."""
    name = f"{config_hash(config)[:8]}-s{config.get('seed_everything', 0)}"
    title = str(((config.get("data") or {}).get("init_args") or {}).get("title") or "")
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return RunFolder(
        Path("runs") / "-".join(filter(None, [composed.data, slug])) / f"{composed.model}-{composed.size}" / name
    )


def _suffix(text: str) -> str:
    return "" if text == "true" else f"-{text}"
