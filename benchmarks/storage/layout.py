"""The files of a benchmark, and the state of its jobs.

    DIR/plan.json                     the jobs
    DIR/results/<job>/                a run folder of `zoo fit` and `zoo test`, with log.txt beside it
    DIR/results/<job>/status.json     the last step, who ran it, and why it failed
    DIR/controls/<data>[-f<fold>]/    controls of a data set: one folder with cases.csv per control, controls.json
    DIR/costs.json                    the measured costs
    DIR/slurm/                        scripts and output of SLURM jobs

Every file is written under a temporary name and then renamed, so that a file which exists is complete. The results
alone tell which steps of a job are done. `status.json` adds what the results do not show, and it may be lost.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.storage.locks import is_claimed
from zoo.errors import RunError
from zoo.utils.atomic_files import write_text
from zoo.utils.json_objects import read_object
from zoo.utils.seals import SEAL, add_seal, is_intact

STATUS_VERSION = 1

TRUE_TEXT_STEP = "test"
"""The test step with the true text."""


def job_folder(folder: Path, job_id: str) -> Path:
    """Return the run folder of a job."""
    return folder / "results" / job_id


def controls_folder(folder: Path, data: str, fold: int | None = None) -> Path:
    """Return the folder with the controls of a data set, or of one of its folds."""
    return folder / "controls" / (data if fold is None else f"{data}-f{fold}")


def cases_path(run: Path, step: str) -> Path:
    """Return the path of the scores of a test step ("test", "test-shuffled", "test-blank", "test-names")."""
    return run / step / "cases.csv"


def skipped_path(run: Path, step: str) -> Path:
    """Return the path of the reason why a test step does not apply to its data set."""
    return run / step / "skipped.json"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        RunError: The file cannot be read, or it is not a JSON object.
    """
    return read_object(path, "Remove the file and run the benchmark again.")


def write_json(path: Path, content: object) -> None:
    """Write JSON in one step: the file is complete or absent, also after a crash of the machine."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n", durable=True)


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with the seal of its content (`write_json`)."""
    write_json(path, add_seal(content))


def read_sealed(path: Path, fix: str) -> dict[str, Any]:
    """Read a JSON object and compare it with its seal. A file of an older version of the zoo has none.

    Args:
        path: The file.
        fix: What to do if the file cannot be used, as a sentence.

    Raises:
        RunError: The file cannot be read, or it is not what the zoo wrote.
    """
    content = read_object(path, fix)
    if SEAL in content and not is_intact(content):
        raise RunError(f"{path}: the content does not match its seal: it was damaged or edited.", fix)
    return content


def costs_path(folder: Path) -> Path:
    """Return the path of the measured costs of a benchmark."""
    return folder / "costs.json"


def read_costs(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the costs by `Job.cost_key`; empty where no costs are measured."""
    path, fix = costs_path(folder), f"Remove the file and measure again: `zoo bench costs {shlex.quote(str(folder))}`."
    if not path.is_file():
        return {}
    costs = read_sealed(path, fix).get("costs")
    if not isinstance(costs, dict):
        raise RunError(f"{path}: the file has no costs.", fix)
    return costs


def store_costs(folder: Path, costs: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the costs by `Job.cost_key`."""
    write_sealed(costs_path(folder), {"version": 1, "costs": costs})


def read_about(run: Path, step: str) -> dict[str, Any]:
    """Read `about.json`, which `zoo test` writes beside its scores; empty where the file is missing."""
    path = cases_path(run, step).with_name("about.json")
    return read_json(path) if path.is_file() else {}


def read_manifest(run: Path) -> dict[str, Any] | None:
    """Read the manifest of a run folder; None where no fit has begun."""
    path = run / "manifest.json"
    return read_json(path) if path.is_file() else None


def is_step_done(run: Path, step: str) -> bool:
    """Return whether a step of a job has a complete result, or does not apply."""
    if step == "controls":
        return (run / "controls.json").is_file()
    manifest = read_manifest(run)
    trained = manifest is not None and bool(manifest.get("finished"))
    if step == "fit":
        return trained
    return trained and (cases_path(run, step).is_file() or skipped_path(run, step).is_file())


def skipped_steps(run: Path, steps: Sequence[str]) -> dict[str, str]:
    """Return the reason of each test step that does not apply.

    Raises:
        RunError: A file is not what the benchmark wrote, or it leaves out the test with the true text.
    """
    paths = {step: skipped_path(run, step) for step in steps}
    return {step: _read_skipped(path, step) for step, path in paths.items() if path.is_file()}


def _read_skipped(path: Path, step: str) -> str:
    fix = "Remove the file and run the same `zoo bench run` again."
    content = read_sealed(path, fix)
    if step == TRUE_TEXT_STEP or "reason" not in content:
        raise RunError(f"{path}: the file does not say why {step} is left out.", fix)
    return str(content["reason"])


def write_skipped(run: Path, step: str, reason: str) -> None:
    """Write the reason why a test step does not apply."""
    write_sealed(skipped_path(run, step), {"step": step, "reason": reason})


def read_status(run: Path) -> dict[str, Any]:
    """Read the status of a run folder, empty where no status was written.

    Raises:
        RunError: Another version of the zoo has written the status.
    """
    path = run / "status.json"
    if not path.is_file():
        return {}
    content = read_json(path)
    if content.get("version") != STATUS_VERSION:
        version = content.get("version")
        raise RunError(f"{path}: the status has version {version}, not {STATUS_VERSION}.", "Use another folder.")
    return content


def write_status(run: Path, content: Mapping[str, Any]) -> None:
    """Write `status.json`. Only the runner that has claimed the folder may call this."""
    write_json(run / "status.json", {**content, "version": STATUS_VERSION})


def read_failure(run: Path) -> dict[str, Any] | None:
    """Return the `step`, `reason` and `advice` of a failed last attempt; None where it has not failed."""
    status = read_status(run)
    return status if status.get("state") == "failed" else None


def is_locked(run: Path) -> bool:
    """Return whether a runner works in a folder now."""
    return is_claimed(run)


def find_job_state(run: Path, steps: Sequence[str]) -> tuple[str, str]:
    """Find the state of a job, and a note on it.

    Args:
        run: The run folder of the job.
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
