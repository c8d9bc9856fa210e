"""Run folders as `zoo fit` and `zoo test` leave them, with their seals, without any training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from zoo.engine.run_folder import RunFolder
from zoo.engine.run_seals import default_checkpoint, describe_origin, seal_files
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.score_files import write_scores
from zoo.utils.seals import FILES, add_seal, hash_file

CONFIG: dict[str, Any] = {"model": {"class_path": "zoo.models.UNet"}, "data": {}, "trainer": {}}


def write_run(
    run: Path,
    manifest: Mapping[str, Any],
    checkpoints: Sequence[str] = ("last", "best"),
    config: Mapping[str, Any] = MappingProxyType(CONFIG),
) -> None:
    """Write a finished run: its configuration, its checkpoints and its manifest.

    Args:
        run: The run folder.
        manifest: What the manifest has besides its seals.
        checkpoints: Names of the checkpoints; the content of each is its name and that of the folder.
        config: The configuration.
    """
    (run / "checkpoints").mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
    for name in checkpoints:
        (run / "checkpoints" / f"{name}.ckpt").write_text(f"{name} of {run.name}", encoding="utf-8")
    content = {"finished": "2026-01-31", **manifest, FILES: seal_files(RunFolder(run), {})}
    (run / "manifest.json").write_text(json.dumps(add_seal(content)), encoding="utf-8")


def write_test(run: Path, step: str, rows: Sequence[CaseScore], about: Mapping[str, Any] | None = None) -> None:
    """Write the rows of a test of a finished run, and `about.json`.

    Args:
        run: The run folder (`write_run`).
        step: The test step.
        rows: The rows.
        about: What `about.json` has besides what every test has.
    """
    folder = RunFolder(run)
    manifest = folder.read_manifest()
    checkpoint = run / default_checkpoint(manifest[FILES])
    origin = describe_origin(folder, checkpoint, manifest)
    write_scores(run / step / "cases.csv", rows, {"metric_version": "1", **origin, **(about or {})})


def seal_controls(folder: Path) -> None:
    """Seal the rows and `controls.json` in the folder of the controls of a data set."""
    path = folder / "controls.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    names = [str(entry["cases"]) for entry in content["controls"].values() if "cases" in entry]
    files = {name: hash_file(folder / name) for name in names}
    path.write_text(json.dumps(add_seal(content | {FILES: files})), encoding="utf-8")
