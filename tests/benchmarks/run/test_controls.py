"""Controls on small generated sets, on the native grid and through the files that the table reads."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from benchmarks.leaderboard.leaderboard import make_leaderboard
from benchmarks.plan.job import Job, Plan, Settings
from benchmarks.run import controls
from benchmarks.run.controls import find_shared_images, main, write_controls
from benchmarks.run.job_runner import build_arguments
from benchmarks.run.local import run_plan
from benchmarks.storage.layout import cases_path, controls_folder, job_folder, write_json
from benchmarks.storage.results import Control, read_all_controls, read_benchmark, read_controls
from benchmarks.storage.stored_plan import store_plan
from datamodules.build import build_datamodule
from datamodules.sets import PhantomFindings
from tests.helpers.data_sets import make_hippocampus
from tests.helpers.made_up_benchmark import finished
from tests.helpers.sample_benchmark import job, leaderboard_of, result
from tests.helpers.sample_rows import row
from tests.helpers.sealed_runs import write_test
from zoo.cli.main import main as zoo
from zoo.metrics.case_scores import read_rows, write_rows
from zoo.metrics.summary import Summary

CHEST = ["--data.counts=[16,2,6]", "--data.init_args.pixels=48"]


def found(folder: Path, data: str) -> dict[str, Control]:
    return {control.name: control for control in read_controls(folder, data)}


def summary(control: Control) -> Summary:
    assert control.scores is not None
    return control.scores.summary


def test_reports_give_four_controls_of_which_the_table_knows_the_track(tmp_path: Path) -> None:
    out = controls_folder(tmp_path, "phantom_chest")
    assert main(["--data", "phantom_chest", "--size", "tiny", "--out", str(out), *CHEST]) == 0
    data = build_datamodule("phantom_chest", "tiny", counts=[16, 2, 6], pixels=48)
    seen = found(tmp_path, "phantom_chest")
    assert list(seen) == ["all-background", "mean-shape", "text-free-bound", "text-only"]
    empty = summary(seen["all-background"])
    cases = len(data.split.ids_of("test"))
    assert (empty.dice, empty.missed, empty.cases, empty.unit) == (0.0, cases, cases, "px")
    assert empty.hd95 == pytest.approx(47 * 2**0.5)  # the diagonal of a 48 x 48 image
    assert seen["text-free-bound"].dice == data.controls()["text-free bound"]
    assert [seen[name].track for name in seen] == ["none", "none", "none", "mask-derived"]
    assert {control.split_hash for control in seen.values()} == {data.split_hash}
    assert [row.case_id for row in read_rows(out / "mean-shape" / "cases.csv")] == sorted(data.split.ids_of("test"))


def test_the_text_alone_knows_more_than_the_mean_shape(tmp_path: Path) -> None:
    data = build_datamodule("phantom_chest", "tiny", counts=[80, 2, 12], pixels=48)
    write_controls(data, tmp_path / "controls" / "c")
    seen = found(tmp_path, "c")
    text, shape = summary(seen["text-only"]), summary(seen["mean-shape"])
    assert (text.dice or 0) > (shape.dice or 0) > 0


def test_class_sentences_have_no_text_only_prior(tmp_path: Path) -> None:
    data = build_datamodule("phantom_abdomen", "tiny", counts=[4, 1, 2])
    write_controls(data, tmp_path / "controls" / "a")
    seen = found(tmp_path, "a")
    assert seen["text-only"].scores is None
    assert seen["text-only"].note == controls.SAME_TEXT
    shape = summary(seen["mean-shape"])
    assert (shape.unit, shape.cases) == ("mm", 2)
    assert 0 < (shape.dice or 0) < 1


def test_controls_that_fail_are_a_row_with_their_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job("unet", "hippocampus", 0, root=str(tmp_path / "nowhere"), settings=Settings("tiny"))
    assert main(["--data", job.data, "--size", "tiny", "--out", str(tmp_path), f"--data.root={job.root}"]) == 2
    reason = capsys.readouterr().err
    assert reason.startswith("zoo: error: ")
    assert "nowhere" in reason
    lines: list[str] = []
    no = [sys.executable, "-c", "import sys; sys.exit('zoo: error: ' + sys.argv[-1])"]
    assert run_plan(tmp_path, Plan((job,)), lines.append, command=no, controls=no) == 2
    (control,) = read_controls(tmp_path, "hippocampus")
    assert control.note == f"--data.root={job.root}"
    assert lines[0] == "controls of hippocampus: controls"


def test_zoo_accepts_the_arguments_of_a_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings("tiny", "cpu", 1, (("data.batch_size", "2"), ("trainer.max_steps", "3")))
    job = Job("bipvl", "phantom_chest", 7, encoder="tiny", track="mask-derived", settings=settings)
    assert zoo([*build_arguments(job, "fit", tmp_path / "run"), "--print_config"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["seed_everything"] == 7
    assert config["model"]["init_args"]["encoder"] == "tiny"
    assert config["data"]["init_args"]["batch_size"] == 2
    assert (int(config["trainer"]["devices"]), config["trainer"]["max_steps"]) == (1, 3)


HALVES = [Job("unet", "phantom_chest", 0, settings=Settings("tiny"), fold=fold, folds=2) for fold in (0, 1)]


def write_half(folder: Path, fold: int, cases: range, **entries: Mapping[str, object]) -> None:
    """Controls of one fold: a shape of Dice 0.4 or 0.6, and what else is said."""
    target = controls_folder(folder, "phantom_chest", fold)
    rows = [row(f"case{c:03d}", "x", (0.4, 0.6)[fold]) for c in cases]
    write_rows(target / "mean-shape" / "cases.csv", rows)
    shape = {"mean-shape": {"cases": "mean-shape/cases.csv", "track": "none"}}
    write_json(
        target / "controls.json", {"split_hash": f"f{fold}", "metric_version": "1", "controls": {**shape, **entries}}
    )


def test_controls_of_folds_are_pooled_each_case_once(tmp_path: Path) -> None:
    for fold, cases in enumerate((range(2), range(2, 8))):
        bound = {"dice": 0.8 + 0.1 * fold, "track": "none", "note": "a bound"}
        none = {"track": "mask-derived", "note": "not applicable"}
        write_half(tmp_path, fold, cases, bound=bound, text=none, **({"half": bound} if fold else {}))
    found = {one.name: one for one in read_all_controls(tmp_path, HALVES)}
    shape = summary(found["mean-shape"])
    assert (shape.cases, found["mean-shape"].folds) == (8, 2)
    assert shape.dice == pytest.approx((2 * 0.4 + 6 * 0.6) / 8), "the mean is over the cases and not over the folds"
    assert found["bound"].dice == pytest.approx(0.85)
    assert found["bound"].note == "a bound; mean of 2 folds"
    assert (found["text"].dice, found["text"].scores, found["text"].track) == (None, None, "mask-derived")
    assert found["text"].note == "not applicable"
    assert (found["half"].dice, found["half"].note) == (None, "a bound; none in fold 0")


def test_a_control_that_lacks_a_fold_or_tests_a_case_twice_has_no_figure(tmp_path: Path) -> None:
    write_half(tmp_path, 0, range(4))
    (control,) = read_all_controls(tmp_path, HALVES)
    assert (control.name, control.note) == ("all", "fold 1: not computed yet")
    write_half(tmp_path, 1, range(3, 8))
    (control,) = read_all_controls(tmp_path, HALVES)
    assert (control.scores, control.note) == (None, "two folds test the same case")


def test_the_table_sets_pooled_controls_beside_pooled_models(tmp_path: Path) -> None:
    store_plan(tmp_path, Plan(tuple(HALVES)))
    for fold, half in enumerate(HALVES):
        write_half(tmp_path, fold, range(4 * fold, 4 * fold + 4))
        run = job_folder(tmp_path, half.id)
        finished(run, half, ["x"], 0.7, 4, split_hash=f"f{fold}")
        rows = read_rows(cases_path(run, "test"))
        write_test(run, "test", [replace(one, case_id=f"case{4 * fold + c:03d}") for c, one in enumerate(rows)])
    (block,) = make_leaderboard(read_benchmark(tmp_path)).groups
    (model,), (control,) = block.ranked, block.controls
    assert (model.n, control.n, control.folds) == (8, 8, 2)
    assert (control.split_hash, control.cases_hash, control.reason) == (model.split_hash, model.cases_hash, "")
    assert control.dice == pytest.approx(0.5)


def test_the_table_lists_images_that_two_splits_share(tmp_path: Path) -> None:
    root = make_hippocampus(tmp_path, 10)
    data = build_datamodule("hippocampus", "tiny", root=str(root))
    assert find_shared_images(data) == []
    trained, tested = data.split.train[0], data.split.test[0]
    source = nib.load(root / "imagesTr" / f"{trained}.nii.gz")
    louder = np.asarray(source.dataobj, dtype=np.float32) * 3 + 7
    for folder in ("imagesTr", "labelsTr"):
        array = louder if folder == "imagesTr" else np.asarray(nib.load(root / folder / f"{trained}.nii.gz").dataobj)
        nib.save(nib.Nifti1Image(array, source.affine), root / folder / f"{tested}.nii.gz")
    shared = find_shared_images(build_datamodule("hippocampus", "tiny", root=str(root)))
    assert len(shared) == 1
    assert shared[0].startswith(f"{tested} (test) is ")
    assert shared[0].endswith(f"{trained} (train)")
    control = Control("all-background", "hippocampus", shared_images=tuple(shared), dice=0.0)
    (block,) = leaderboard_of([result(job(), [0.5] * 8)], [control]).groups
    assert f"two splits share images: {shared[0]}" in block.warnings


def test_an_image_with_several_queries_has_the_union_of_its_masks_as_a_control(tmp_path: Path) -> None:
    out = controls_folder(tmp_path, "phantom_findings")
    size = ["--data.counts=[6,1,6]", "--data.shape=[16,16,16]", "--data.patch=[16,16,16]"]
    assert main(["--data", "phantom_findings", "--size", "tiny", "--out", str(out), *size]) == 0
    data = build_datamodule("phantom_findings", "tiny", counts=[6, 1, 6], shape=[16, 16, 16], patch=[16, 16, 16])
    rows = {row.key: row for row in read_rows(out / "union" / "cases.csv")}
    assert isinstance(data, PhantomFindings)
    for case in data.index.cases_of("test"):
        drawn = data.draw(case)
        mine = drawn.mask(int(case.query))
        union = np.any([drawn.mask(index) for index in range(len(drawn.findings))], axis=0)
        if mine.any():
            assert rows[case.key].dice == pytest.approx(2 * mine.sum() / (mine.sum() + union.sum()))
        else:
            assert rows[case.key].status == "spurious"
    assert all(0 <= row.nsd_surfels <= 1 for row in rows.values() if row.status != "absent")
    assert summary(found(tmp_path, "phantom_findings")["union"]).cases == len(rows)
