"""Reads the tests of a run folder, and refuses files that are not what the run wrote.

A run of an older version of the zoo has no seals. Its rows are read, and a table marks them (`UNSEALED`).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from benchmarks.storage import layout
from zoo.engine.run_folder import RunFolder
from zoo.engine.run_seals import AGAIN, check_run, default_checkpoint, is_sealed
from zoo.errors import RunError
from zoo.metrics.case_scores import CaseScore, read_rows
from zoo.metrics.score_files import about_path, read_scores
from zoo.metrics.summary import Summary, summarise
from zoo.utils.seals import FILES, SEAL

CONTROLS_AGAIN = "Run the same `zoo bench run` again: it computes the controls anew."

NO_SEALS = "an older version of the zoo wrote the scores: they have no seals, so damage is not found"

NO_SCORE = frozenset(
    {"data.init_args.text", "data.init_args.batch_size"}
    | {f"trainer.{name}" for name in ("inference_mode", "deterministic", "benchmark")}
)
"""Options of a test that move no score, or that have a folder of their own (the text control)."""

UNSEALED = "unsealed"
"""Mark of a row whose scores have no seals, because an older version of the zoo wrote them."""


@dataclass(frozen=True)
class TestScores:
    """The scores of one test.

    Attributes:
        rows: One row per case, query and class.
        about: Content of `about.json`, which `zoo test` writes beside the rows; empty where the file is missing.

    Example:
        >>> from zoo.metrics import CaseScore
        >>> metrics = {"dice": 0.5, "hd95": 2.0, "hd95_pooled": 2.0, "nsd": 0.5, "assd": 1.0}
        >>> row = CaseScore(case_id="a", label="liver", tp=1, fp=1, fn=1, unit="mm", status="ok", **metrics)
        >>> TestScores((row,)).summary.dice
        0.5
    """

    __test__ = False  # pytest would take the name for that of a test class

    rows: tuple[CaseScore, ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def summary(self) -> Summary:
        """The means of the rows.

        Raises:
            RunError: The rows have no mean (`zoo.metrics.summary.summarise`).
        """
        return summarise(self.rows)

    @property
    def has_queries(self) -> bool:
        """Whether an image has several queries, each with rows of its own."""
        keys = {row.key for row in self.rows}
        return len({case_id for case_id, _ in keys}) < len(keys)


def has_case_twice(rows: Sequence[CaseScore]) -> bool:
    """Return whether two rows have the same case, query and class."""
    return len({(row.key, row.label) for row in rows}) < len(rows)


def check_job_run(run: Path, job_id: str = "") -> Mapping[str, Any]:
    """Check the manifest and the configuration of a run folder.

    Args:
        run: The run folder.
        job_id: The job whose results are expected in the folder; empty for a run that is no job.

    Returns:
        The manifest, empty where no fit has begun.

    Raises:
        RunError: A file is not what the training wrote, or the folder holds the results of another job.
    """
    fix = f"Remove the folder {run} and run `zoo bench run` again, or restore the file." if job_id else ""
    manifest = check_run(RunFolder(run), fix or AGAIN)
    owner = manifest.get("folder")
    if job_id and owner and owner != job_id and is_sealed(manifest):
        raise RunError(f"{run / 'manifest.json'}: these are the results of {owner}, not of {job_id}.", fix)
    return manifest


def read_test(run: Path, step: str, manifest: Mapping[str, Any]) -> TestScores:
    """Read the rows and `about.json` of a test.

    Args:
        run: The run folder.
        step: The test step.
        manifest: The manifest of the run (`check_job_run`).

    Raises:
        RunError: A file is missing or is not what the test wrote, or the test was not of the run as it was trained: it
            has another checkpoint or other options.
    """
    path, sealed = layout.cases_path(run, step), is_sealed(manifest)
    rows, about = read_scores(path, mend(run, step), sealed)
    if sealed:
        problem = _find_other_run(about, manifest)
        if problem:
            raise RunError(f"{about_path(path)}: {problem}.", mend(run, step))
    elif SEAL in about:
        raise RunError(f"{run / 'manifest.json'}: the file has no seal, although the test of this run has.", AGAIN)
    return TestScores(tuple(rows), about)


def read_controls_file(path: Path) -> dict[str, Any]:
    """Read `controls.json`.

    Raises:
        RunError: The file cannot be read, or is not what the benchmark wrote.
    """
    return layout.read_sealed(path, CONTROLS_AGAIN)


def read_control_rows(path: Path, content: Mapping[str, Any], name: str) -> list[CaseScore]:
    """Read the rows of one control.

    Args:
        path: `controls.json`.
        content: Its content.
        name: The path of the rows in its folder, as an entry of the file has it.

    Raises:
        RunError: The rows are not what the benchmark wrote.
    """
    return read_rows(
        path.parent / name, content.get(FILES, {}).get(name, "" if SEAL in content else None), CONTROLS_AGAIN
    )


def find_damaged_controls(target: Path) -> str:
    """Return why the controls of a data set cannot be used, in one line; empty if they can, or do not exist yet."""
    path = target / "controls.json"
    if not path.is_file():
        return ""
    try:
        content = read_controls_file(path)
        for entry in content["controls"].values():
            if "cases" in entry:
                read_control_rows(path, content, str(entry["cases"]))
    except RunError as error:
        return str(error)
    return ""


def mend(run: Path, step: str) -> str:
    """Return the sentence with the command that makes the files of a test anew."""
    text = step.partition("-")[2]
    return f"`zoo test --out {shlex.quote(str(run))}{f' --data.text {text}' if text else ''}` makes it anew."


def is_done_and_intact(run: Path, step: str) -> bool:
    """Return whether a step of a job, or of controls, has a result that can be used."""
    return layout.is_step_done(run, step) and not find_damage(run, step)


def find_damage(run: Path, step: str) -> str:
    """Return why the finished result of a step cannot be used, in one line; empty if it can.

    Args:
        run: The run folder of a job, or the folder of controls.
        step: "fit", a test step, or "controls".
    """
    if step == "controls":
        return find_damaged_controls(run)
    folder, cases = RunFolder(run), layout.cases_path(run, step)
    files = (folder.manifest, folder.config, cases, about_path(cases), layout.skipped_path(run, step))
    return _find_damage_of(run, step, *map(_look_at, files))


@lru_cache(4096)  # the display of `zoo bench run` asks every two seconds
def _find_damage_of(run: Path, step: str, *_: tuple[int, ...]) -> str:
    """Return why the result of a step of a job cannot be used; further arguments change with its files."""
    try:
        manifest = check_job_run(run, run.name)
        if step != "fit" and not layout.skipped_steps(run, [step]) and layout.cases_path(run, step).is_file():
            read_test(run, step, manifest)
    except RunError as error:
        return str(error)
    return ""


def _look_at(file: Path) -> tuple[int, ...]:
    """Return what changes whenever a file is written or replaced; nothing for a missing file."""
    try:
        state = file.stat()
    except OSError:
        return ()
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def check_job_state(run: Path, steps: Sequence[str]) -> tuple[str, str]:
    """Find the state of a job (`layout.find_job_state`), and whether what is done can be used.

    Args:
        run: The run folder of a job, or the folder of controls.
        steps: The steps of the job, in order.

    Returns:
        One more state than there: ("damaged", "step: reason"). `zoo bench run` repeats a damaged test; tables refuse
        it.
    """
    finished = [step for step in steps if layout.is_step_done(run, step)]
    damaged = next(((step, why) for step in finished if (why := find_damage(run, step))), None)
    if damaged is None:
        return layout.find_job_state(run, steps)
    return ("running", damaged[0]) if layout.is_locked(run) else ("damaged", ": ".join(damaged))


def _find_other_run(about: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """Return in what a test differs from the run in its folder; empty if it is a test of this run."""
    tested, trained = about[FILES], manifest[FILES]
    name = str(about.get("checkpoint", ""))
    if about.get("run") != manifest[SEAL]:
        return "these are the scores of another run, or of this run before its training ended"
    if name != default_checkpoint(trained):
        return f"the test scored the checkpoint {name or '(unknown)'}, not {default_checkpoint(trained)}"
    if any(tested.get(file) != trained.get(file) for file in (name, "config.yaml")):
        return "the test had another checkpoint or another configuration than the training wrote"
    options = [f"{key} {value}" for key, value in about.get("changed_options", {}).items() if key not in NO_SCORE]
    return f"the test had other options than the training: {', '.join(options)}" if options else ""
