"""Whole commands: interrupted training, validation, blank text, predictions.

In `make test` they run for the models that `runs_whole_commands` chooses by looking at the class, and in
`make test-slow` for all others.
"""

from __future__ import annotations

from pathlib import Path

import nibabel
import pytest

from tests.contracts.conftest import Fitted
from tests.helpers.model_cases import PHANTOMS, TEST_CASES, runs_whole_commands
from tests.helpers.weights import same_weights, weights
from zoo.cli.main import main
from zoo.metrics.case_scores import read_rows
from zoo.models.base import SegModule


@pytest.fixture(params=["chosen", pytest.param("others", marks=pytest.mark.slow)])
def run(request: pytest.FixtureRequest, fitted: Fitted) -> Fitted:
    """Return the run of a model, or skip a model that the other target runs."""
    if (request.param == "chosen") != runs_whole_commands(fitted.case, fitted.module):
        pytest.skip("runs in `make test-slow`" if request.param == "chosen" else "runs in `make test`")
    return fitted


def test_interrupted_run_ends_at_the_same_weights(run: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(self: SegModule) -> None:
        if self.current_epoch == 1:
            raise OSError("the power failed")

    words = run.case.small_words("fit", tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(SegModule, "on_train_epoch_start", die)
        with pytest.raises(OSError, match="the power failed"):
            main(words)
    assert not same_weights(weights(run.out), weights(tmp_path / "run"))
    assert main(words) == 0
    assert same_weights(weights(run.out), weights(tmp_path / "run"))


def test_validation_and_test_with_blank_text_leave_the_checkpoints_alone(run: Fitted) -> None:
    before = weights(run.out), weights(run.out, "best")
    assert main(run.case.small_words("validate", run.out)) == 0
    assert main(run.case.small_words("test", run.out, "--data.text", "blank")) == 0
    assert len({row.case_id for row in read_rows(run.out / "test-blank" / "cases.csv")}) == TEST_CASES[run.case.dims]
    for state, name in zip(before, ("last", "best"), strict=True):
        assert same_weights(state, weights(run.out, name))


def test_predictions_are_files_on_the_grid_of_the_images_and_score_like_the_test(run: Fitted, tmp_path: Path) -> None:
    assert main(run.case.small_words("predict", run.out)) == 0
    files = sorted((run.out / "predictions").iterdir())
    assert len(files) == TEST_CASES[run.case.dims]
    if run.case.dims == 2:
        assert {file.suffix for file in files} == {".png"}
    else:
        assert all(file.name.endswith(".nii.gz") for file in files)
        assert nibabel.load(files[0]).shape == (24, 16, 16)
    data = [*PHANTOMS[run.case.dims], "--size", "tiny"]
    assert main(["score", str(run.out / "predictions"), *data, "--name", "Again", "--out", str(tmp_path)]) == 0
    (scored,) = tmp_path.glob("scored/*/cases.csv")
    assert scored.read_bytes() == (run.out / "test" / "cases.csv").read_bytes()
