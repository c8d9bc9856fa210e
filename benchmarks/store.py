"""What a benchmark keeps on disk, and what state its jobs are in.

    DIR/plan.json                     the jobs
    DIR/jobs/<id>/                    a run folder of `zoo fit` and `zoo test`, with log.txt beside it
    DIR/jobs/<id>/failed.json         the step that failed and its reason, until the next attempt
    DIR/controls/<data>/              controls of a data set: one folder with cases.csv each, controls.json

Every file is written under a temporary name and renamed, so that what is there is complete.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo.errors import RunError


def job_folder(folder: Path, job_id: str) -> Path:
    """The run folder of a job."""
    return folder / "jobs" / job_id


def controls_folder(folder: Path, data: str) -> Path:
    """Where the controls of a data set are kept."""
    return folder / "controls" / data


def cases_path(run: Path, step: str) -> Path:
    """The rows that a test step ("test", "test-shuffled", "test-blank") leaves in its run folder."""
    return run / step / "cases.csv"


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
    """Writes JSON whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)


def scored_by(run: Path, step: str) -> str | None:
    """The metric version of a test's rows, as `zoo test` wrote it beside them; None where it did not."""
    path = cases_path(run, step).with_name("about.json")
    return str(read_json(path)["metric_version"]) if path.is_file() else None


def manifest(run: Path) -> dict[str, Any] | None:
    """The manifest of a run folder, None where no fit has begun in it."""
    path = run / "manifest.json"
    return read_json(path) if path.is_file() else None


def step_done(run: Path, step: str) -> bool:
    """Whether a step of a job has ended well: its result is there and complete."""
    facts = manifest(run)
    trained = facts is not None and bool(facts.get("finished"))
    return trained if step == "fit" else trained and cases_path(run, step).is_file()


def failure(folder: Path) -> dict[str, Any] | None:
    """Why the last attempt failed, None where it did not."""
    path = folder / "failed.json"
    return read_json(path) if path.is_file() else None


def lock_path(folder: Path) -> Path:
    """The lock that a runner holds while it works in a folder."""
    return folder / ".lock"


def locked(folder: Path) -> bool:
    """Whether a runner is at work in a folder right now."""
    path = lock_path(folder)
    if not path.is_file():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def job_state(run: Path, steps: Sequence[str]) -> tuple[str, str]:
    """The state of a job and what there is to say of it.

    Args:
        run: The job's run folder.
        steps: The steps of the job, in order.

    Returns:
        ("done", ""), ("running", step), ("failed", "step: reason"), ("unfinished", next step) or
        ("waiting", "").
    """
    missing = [step for step in steps if not step_done(run, step)]
    if not missing:
        return "done", ""
    if locked(run):
        return "running", missing[0]
    failed = failure(run)
    if failed:
        return "failed", f"{failed['step']}: {failed['reason']}"
    return ("unfinished", f"next: {missing[0]}") if run.is_dir() else ("waiting", "")
