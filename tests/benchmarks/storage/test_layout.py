"""The state of a job is read from the files in its run folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.storage.layout import cases_path, find_job_state, is_step_done, skipped_path, write_json


def fit(run: Path, *, finished: bool) -> None:
    """Writes the manifest of a fit."""
    write_json(run / "manifest.json", {"finished": "2026-01-31T12:00:00+00:00" if finished else None})


@pytest.mark.parametrize("path", [cases_path, skipped_path])
def test_a_test_is_not_done_before_its_fit_is_finished(tmp_path: Path, path: Callable[[Path, str], Path]) -> None:
    """An interrupted fit that starts again in the same folder may find the files of an earlier test."""
    write_json(path(tmp_path, "test"), {"reason": "the data set has no text"})
    assert not is_step_done(tmp_path, "test"), "there is no fit"
    fit(tmp_path, finished=False)
    assert not is_step_done(tmp_path, "test"), "the fit is not finished"
    assert find_job_state(tmp_path, ("fit", "test")) == ("unfinished", "next: fit")
    fit(tmp_path, finished=True)
    assert is_step_done(tmp_path, "test")
    assert find_job_state(tmp_path, ("fit", "test")) == ("done", "")


def test_a_finished_fit_without_scores_has_no_finished_test(tmp_path: Path) -> None:
    fit(tmp_path, finished=True)
    assert is_step_done(tmp_path, "fit")
    assert not is_step_done(tmp_path, "test")
    assert find_job_state(tmp_path, ("fit", "test")) == ("unfinished", "next: test")
