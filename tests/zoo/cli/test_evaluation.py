"""validate, test and predict with a model and data of another package, on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.stub_commands import FIT, STUB, error_line
from zoo.callbacks.predictions import Predictions
from zoo.callbacks.scores import Scores
from zoo.cli.evaluate import _print_results, set_conventions
from zoo.cli.main import main
from zoo.engine.arguments import parse
from zoo.engine.trained_model import load_run
from zoo.errors import RunError
from zoo.metrics.case_scores import METRIC_VERSION, cases_hash, read_rows
from zoo.metrics.score_files import read_scores
from zoo.metrics.scored_cases import ScoredCases
from zoo.types import Geometry, LabelSpace, Native, Prediction
from zoo.utils.seals import hash_file, is_intact

pytestmark = pytest.mark.usefixtures("stub_importable")


def test_test_writes_each_case_once_and_prints_a_table(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["test", "--out", str(finished)]) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("dice", "hd95 (px)", "missed", "spurious", "lesion", "5 cases"))
    rows = read_rows(finished / "test" / "cases.csv")
    assert sorted(row.case_id for row in rows) == [f"case{n}" for n in range(5)]
    assert main(["test", *STUB, "--out", str(finished), "--data.text", "shuffled"]) == 0
    assert (finished / "test-shuffled" / "cases.csv").is_file()
    about = json.loads((finished / "test-shuffled" / "about.json").read_text())
    assert about["changed_options"] == {"data.init_args.text": "shuffled"}


def test_a_convention_by_name_adds_its_scores_to_each_row(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["test", "--out", str(finished), "--convention", "surface-distance"]
    scores = ScoredCases(LabelSpace(("lesion",), ((1,),)), 1.0)
    set_conventions(SimpleNamespace(test_scores=scores), parse("test", asked[1:]))
    mask = np.eye(4, dtype=np.uint8)
    grid = Geometry(None, (4, 4), ((0, 4), (0, 4)), (1.0, 1.0), "px")
    [row] = scores.score([Prediction("a", mask, grid)], [Native(grid, mask)])
    assert (row.hd95_surfels, row.nsd_surfels) == (0, 1)
    assert "--convention: StubModel scores its test itself" in error_line(asked, capsys)
    assert "Unknown convention 'surface'" in error_line([*asked[:-1], "surface"], capsys)
    assert "--convention is no option of `zoo predict`" in error_line(["predict", *asked[1:]], capsys)


@pytest.mark.parametrize("more", [[], ["--ema", "0.9"]])
def test_a_test_needs_no_callback_that_a_flag_gave_to_the_training(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--trainer.callbacks+", "stub_model.Logbook"]
    fit = ["fit", *STUB, "--trainer.max_epochs", "1", *own, *more, "--out", str(tmp_path)]
    assert main(fit) == 0
    for verb in ("test", "validate", "predict"):
        assert main([verb, "--out", str(tmp_path)]) == 0
        assert main([verb, "--out", str(tmp_path), *own]) == 0, "a job repeats the options of its training"
    for other in (["--trainer.callbacks+", "stub_model.OtherLogbook"], [*own, "--trainer.callbacks.name", "b"]):
        assert "cannot change what was trained: trainer.callbacks" in error_line(
            ["test", "--out", str(tmp_path), *other], capsys
        )


def test_scores_have_the_metric_version_and_the_split(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", "--out", str(finished), "--data.text", "blank"]) == 0
    about = json.loads((finished / "test-blank" / "about.json").read_text())
    assert (about["metric_version"], about["split_hash"]) == (METRIC_VERSION, "split")
    assert (about["text"], about["prompt_hash"], about["subjects"], about["leaks"]) == ("blank", "prompt", {}, {})
    assert about["cases_hash"] == cases_hash(read_rows(finished / "test-blank" / "cases.csv"))
    assert len(about["label_space_hash"]) == 64
    rows = (finished / "test-blank" / "cases.csv").read_bytes()
    monkeypatch.setattr(__import__("stub_model").StubData, "split_hash", "another")
    line = error_line(["test", "--out", str(finished), "--data.text", "blank"], capsys)
    assert "cases of the training could be scored" in line
    assert (finished / "test-blank" / "cases.csv").read_bytes() == rows


def test_a_test_records_its_options_its_checkpoint_and_the_hashes_of_its_files(finished: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    assert (
        main(
            [
                "test",
                "--out",
                str(run),
                "--trainer.precision",
                "bf16-mixed",
                "--ckpt",
                str(run / "checkpoints/last.ckpt"),
            ]
        )
        == 0
    )
    manifest, about = (json.loads((run / name).read_text()) for name in ("manifest.json", "test/about.json"))
    assert is_intact(manifest)
    assert manifest["folder"] == "whole"
    names = ["checkpoints/best.ckpt", "checkpoints/last.ckpt", "config.yaml"]
    assert manifest["files"] == {name: hash_file(run / name) for name in names}
    assert about["changed_options"] == {"trainer.precision": "bf16-mixed"}
    assert (about["checkpoint"], about["run"]) == ("checkpoints/last.ckpt", manifest["seal"])
    assert about["files"] == {
        "cases.csv": hash_file(run / "test" / "cases.csv"),
        **{name: manifest["files"][name] for name in ("checkpoints/last.ckpt", "config.yaml")},
    }
    assert (about["precision"], about["device"]) == ("bf16-mixed", "cpu")
    assert read_scores(run / "test" / "cases.csv", "")[1] == about


def test_every_verb_refuses_an_edited_configuration_and_a_damaged_checkpoint(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(finished, tmp_path / "run", ignore=shutil.ignore_patterns("test*", "predictions*")))
    best = run / "checkpoints" / "best.ckpt"
    content = torch.load(best, weights_only=True)
    content["state_dict"]["net.0.bias"] += 1
    torch.save(content, best)
    for verb in ("validate", "test", "predict"):
        assert "best.ckpt: this is not the checkpoint" in error_line([verb, "--out", str(run)], capsys)
    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("lr: 0.1", "lr: 0.2"))
    for words in (["test"], ["predict"], ["validate"], [*FIT, "--model.lr", "0.2"]):
        line = error_line([*words, "--out", str(run)], capsys)
        assert "config.yaml: the file was damaged or edited" in line
        assert "`zoo fit`" in line
    with pytest.raises(RunError, match=r"config\.yaml: the file was damaged or edited"):
        load_run(run)
    assert not (run / "test").exists()
    assert not (run / "predictions").exists()


def test_validate_scores_the_best_checkpoint(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["validate", "--out", str(finished)]) == 0
    best = json.loads((finished / "manifest.json").read_text())["best_val_dice"]
    assert f"val/dice {best:.4f}" in capsys.readouterr().out


def test_predict_writes_one_image_per_case(finished: Path) -> None:
    before = (finished / "metrics.csv").read_bytes()
    assert main(["predict", "--out", str(finished)]) == 0
    assert sorted(p.name for p in (finished / "predictions").iterdir()) == [f"case{n}.png" for n in range(5)]
    assert (finished / "metrics.csv").read_bytes() == before, "evaluation touches no record of training"


def test_predict_prints_the_class_of_each_number(capsys: pytest.CaptureFixture[str]) -> None:
    labels = SimpleNamespace(names=("liver", "pancreas"))
    cli: Any = SimpleNamespace(model=SimpleNamespace(facts=SimpleNamespace(labels=labels)))
    capsys.readouterr()
    predictions = Predictions(Path("there"))
    predictions.written = 3
    _print_results(cli, "predict", Scores(Path("cases.csv"), Path("manifest.json")), predictions)
    assert capsys.readouterr().out.strip() == "3 label images in there: 1 liver, 2 pancreas"


def test_evaluation_reports_what_is_missing_or_does_not_fit(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(finished)
    assert "is StubModel, not unet" in error_line(["test", "--model", "unet", "--out", out], capsys)
    assert "no checkpoint" in error_line(["test", "--out", out, "--ckpt", str(tmp_path / "no.ckpt")], capsys)
    line = error_line(["test", "--out", out, "--model.width", "9"], capsys)
    assert "`zoo test` cannot change what was trained: model.init_args.width (4 -> 9)" in line
    assert "the size of this run is tiny" in error_line(["test", "--out", out, "--size", "published"], capsys)
    copied = tmp_path / "copied"
    shutil.copytree(finished, copied)
    (copied / "manifest.json").unlink()  # whose seals would refuse the two files below
    (copied / "config.yaml").write_text((finished / "config.yaml").read_text().replace("width: 4", "width: 9"))
    assert "does not fit the model" in error_line(["test", "--out", str(copied)], capsys)
    shutil.copy(finished / "config.yaml", copied)
    cut = copied / "checkpoints" / "cut.ckpt"
    cut.write_bytes((finished / "checkpoints" / "last.ckpt").read_bytes()[:2000])
    assert "not a checkpoint" in error_line(["test", "--out", str(copied), "--ckpt", str(cut)], capsys)
    torch.save({"state_dict": {}, "evil": Path("x")}, cut)
    assert "not a checkpoint" in error_line(["test", "--out", str(copied), "--ckpt", str(cut)], capsys)
    foreign = "no checkpoint of the run in"
    assert foreign in error_line(["test", "--out", out, "--ckpt", str(copied / "checkpoints" / "best.ckpt")], capsys)
