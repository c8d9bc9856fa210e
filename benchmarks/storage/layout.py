"""What a benchmark keeps on disk, and what state its jobs are in.

    DIR/plan.json                     the jobs
    DIR/results/<job>/                a run folder of `zoo fit` and `zoo test`, with log.txt beside it
    DIR/results/<job>/status.json     what was last done there, by whom, and why it failed
    DIR/controls/<data>[-f<fold>]/    controls of a data set: one folder with cases.csv each, controls.json
    DIR/slurm/                        what SLURM was given and what it said

Every file is written under a temporary name and renamed, so that what is there is complete. What a job has
done is told by its results alone; `status.json` says what cannot be seen from them and may be lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.storage.locks import is_claimed
from zoo.errors import RunError
from zoo.utils.atomic_files import write_text

STATUS_VERSION = 1

TRUE_TEXT_STEP = "test"
"""The test step with the true text."""


def job_folder(folder: Path, job_id: str) -> Path:
    """The run folder of a job."""
    return folder / "results" / job_id


def controls_folder(folder: Path, data: str, fold: int | None = None) -> Path:
    """Where the controls of a data set, or of one fold of it, are kept."""
    return folder / "controls" / (data if fold is None else f"{data}-f{fold}")


def cases_path(run: Path, step: str) -> Path:
    """The rows that a test step ("test", "test-shuffled", "test-blank", "test-names") leaves in its run folder."""
    return run / step / "cases.csv"


def skipped_path(run: Path, step: str) -> Path:
    """Where it stands why a test step does not apply to its data set."""
    return run / step / "skipped.json"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        RunError: The file cannot be read or is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path}: not a readable JSON file: {error}.", "Remove it and run the benchmark again."
        ) from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: a JSON object is expected.", "Remove it and run the benchmark again.")
    return content


def write_json(path: Path, content: object) -> None:
    """Writes JSON whole or not at all, also where the machine stops in between."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n", durable=True)


def costs_path(folder: Path) -> Path:
    """The file with the measured costs of a benchmark."""
    return folder / "costs.json"


def read_costs(folder: Path) -> dict[str, dict[str, Any]]:
    """The costs by `Job.measured`; empty where no costs are measured."""
    path = costs_path(folder)
    return dict(read_json(path)["costs"]) if path.is_file() else {}


def read_about(run: Path, step: str) -> dict[str, Any]:
    """The content of `about.json`, which `zoo test` writes beside its scores; empty where the file is missing."""
    path = cases_path(run, step).with_name("about.json")
    return read_json(path) if path.is_file() else {}


def read_manifest(run: Path) -> dict[str, Any] | None:
    """The manifest of a run folder, None where no fit has begun in it."""
    path = run / "manifest.json"
    return read_json(path) if path.is_file() else None


def is_step_done(run: Path, step: str) -> bool:
    """Whether a step of a job has ended well: its result is there and complete, or it does not apply."""
    if step == "controls":
        return (run / "controls.json").is_file()
    facts = read_manifest(run)
    trained = facts is not None and bool(facts.get("finished"))
    if step == "fit":
        return trained
    return trained and (cases_path(run, step).is_file() or skipped_path(run, step).is_file())


def skipped_steps(run: Path, steps: Sequence[str]) -> dict[str, str]:
    """The test steps that do not apply, each with its reason."""
    paths = {step: skipped_path(run, step) for step in steps}
    return {step: str(read_json(path)["reason"]) for step, path in paths.items() if path.is_file()}


def read_status(run: Path) -> dict[str, Any]:
    """What was last written of a folder, empty where nothing was.

    Raises:
        RunError: Another version of the zoo wrote it.
    """
    path = run / "status.json"
    if not path.is_file():
        return {}
    content = read_json(path)
    if content.get("version") != STATUS_VERSION:
        raise RunError(f"{path}: status version {content.get('version')}, not {STATUS_VERSION}.", "Use another folder.")
    return content


def write_status(run: Path, content: Mapping[str, Any]) -> None:
    """Writes `status.json`; only who has claimed the folder may."""
    write_json(run / "status.json", {**content, "version": STATUS_VERSION})


def read_failure(run: Path) -> dict[str, Any] | None:
    """Why the last attempt failed (`step`, `reason`, `advice`), None where it did not."""
    said = read_status(run)
    return said if said.get("state") == "failed" else None


def is_locked(run: Path) -> bool:
    """Whether a runner is at work in a folder right now."""
    return is_claimed(run)


def find_job_state(run: Path, steps: Sequence[str]) -> tuple[str, str]:
    """The state of a job and what there is to say of it.

    Args:
        run: The job's run folder.
        steps: The steps of the job, in order.

    Returns:
        ("done", ""), ("running", step), ("failed", "step: reason"), ("unfinished", next step) or
        ("waiting", "").
    """
    missing = [step for step in steps if not is_step_done(run, step)]
    if not missing:
        return "done", ""
    if is_locked(run):
        return "running", missing[0]
    failed = read_failure(run)
    if failed and failed["step"] in missing:
        return "failed", f"{failed['step']}: {failed['reason']}"
    return ("unfinished", f"next: {missing[0]}") if run.is_dir() else ("waiting", "")
