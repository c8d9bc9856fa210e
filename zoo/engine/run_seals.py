"""Checks that the files of a run folder are those that its training wrote. No torch here.

`zoo fit` seals a finished run: the manifest has the SHA-256 of the configuration and of each checkpoint, and a seal of
its own content (`zoo.utils.seals`). A run of an older version has no seals; then the configuration alone is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.config import config_hash
from zoo.engine.run_folder import RunFolder
from zoo.errors import CheckpointError, RunError
from zoo.utils.seals import FILES, SEAL, hash_file, hash_file_once, is_intact

AGAIN = "Restore the file from a copy, or train again with `zoo fit` into another --out."


def is_sealed(manifest: Mapping[str, Any]) -> bool:
    """Return whether a manifest has seals: the run is finished, and no older version of the zoo has written it."""
    return bool(manifest.get("finished")) and (SEAL in manifest or FILES in manifest)


def check_run(folder: RunFolder, fix: str = AGAIN, manifest: dict[str, Any] | None = None) -> dict[str, Any]:
    """Check the manifest and the configuration of a run.

    Args:
        folder: The run folder.
        fix: What to do if the check fails, as a sentence.
        manifest: The manifest; None to read it.

    Returns:
        The manifest, empty where there is none.

    Raises:
        RunError: One of the two files is not the file that the training wrote.
    """
    manifest = folder.read_manifest() if manifest is None else manifest
    if is_sealed(manifest):
        if not is_intact(manifest) or FILES not in manifest:
            raise RunError(f"{folder.manifest}: the content does not match its seal: it was damaged or edited.", fix)
        if not folder.config.is_file():
            raise RunError(f"{folder.config}: the configuration of the run is missing.", fix)
        if hash_file(folder.config) != manifest[FILES].get(folder.config.name):
            raise RunError(f"{folder.config}: the file was damaged or edited after the training.", fix)
    elif manifest.get("config_hash") and folder.config.is_file():
        found = config_hash(folder.read_config())
        if found != manifest["config_hash"]:
            raise RunError(f"{folder.config}: this is not the configuration with which the run began.", fix)
    return manifest


def choose_checkpoint(folder: RunFolder, wanted: Path | None, manifest: Mapping[str, Any]) -> Path:
    """Return the checkpoint to evaluate (`RunFolder.checkpoint`); that of a finished run is compared with its seal.

    `zoo.callbacks.checkpoints.load` checks the checkpoints of unfinished runs.

    Args:
        folder: The run folder.
        wanted: The checkpoint that the user names; None for the best, else the last.
        manifest: The manifest of the run.

    Raises:
        CheckpointError: There is no such file, it is not in the run folder, or it is not the file that the training
            wrote; or the best checkpoint is missing and the last one would be taken for it.
    """
    chosen = folder.checkpoint(wanted)
    if not is_sealed(manifest):
        return chosen
    name, files = file_name(folder, chosen), manifest[FILES]
    default = default_checkpoint(files)
    if wanted is None and default and name != default:
        raise CheckpointError(
            f"{folder.path / default}: the checkpoint is missing.", f"Restore it, or name another one: --ckpt {chosen}."
        )
    if name in files and hash_file_once(chosen) != files[name]:
        raise CheckpointError(
            f"{chosen}: this is not the checkpoint that the training wrote: it was damaged or exchanged.", AGAIN
        )
    return chosen


def describe_origin(folder: RunFolder, checkpoint: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what made the scores of a test, for `about.json`: the run, its checkpoint, and the hashes of the files.

    Args:
        folder: The run folder.
        checkpoint: The checkpoint that is tested.
        manifest: The manifest of the run.
    """
    files = {folder.config.name: hash_file(folder.config), file_name(folder, checkpoint): hash_file_once(checkpoint)}
    return {"run": manifest.get(SEAL), "checkpoint": file_name(folder, checkpoint), FILES: files}


def seal_files(folder: RunFolder, digests: Mapping[Path, str]) -> dict[str, str]:
    """Return the SHA-256 of the configuration and of each checkpoint of a run, by the path in the run folder.

    Args:
        folder: The run folder.
        digests: Known hashes by resolved path; other files are read.
    """
    checkpoints = sorted(path for path in folder.checkpoints.glob("*.ckpt") if path.is_file())
    known = {path: digests.get(path.resolve()) for path in checkpoints}
    files = {file_name(folder, path): digest or hash_file_once(path) for path, digest in known.items()}
    return {folder.config.name: hash_file(folder.config), **files}


def default_checkpoint(files: Mapping[str, Any]) -> str:
    """Return the name of the checkpoint that is scored unless a command names another one."""
    names = [f"checkpoints/{name}.ckpt" for name in ("best", "last")]
    return next((name for name in names if name in files), "")


def file_name(folder: RunFolder, file: Path) -> str:
    """Return the path of a file in a run folder, as seals name it: "checkpoints/best.ckpt"."""
    root = folder.path if file.is_relative_to(folder.path) else folder.path.resolve()
    return (file if file.is_relative_to(root) else file.resolve()).relative_to(root).as_posix()
