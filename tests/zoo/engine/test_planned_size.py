"""`--size planned`: what the plan fills, what it needs, and that it is part of the identity of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.analysis.training_summary import store_summary
from datamodules.build import build_datamodule
from tests.helpers.data_sets import make_hippocampus
from zoo.cli.main import main
from zoo.config import Composed, identity
from zoo.engine.arguments import compose_request, parse
from zoo.engine.lightning_cli import ZooCLI
from zoo.engine.planned_size import fill_data, fill_model
from zoo.errors import ConfigError, DataError
from zoo.planner import DatasetSummary, Grid, Intensities, plan
from zoo.utils.config_values import find_value

FILLED = ("data.patch", "data.batch_size", "model.strides", "model.kernels", "model.features")


def words(root: Path, model: str, *more: str, size: str = "planned") -> list[str]:
    return ["--model", model, "--data", "hippocampus", "--data.root", str(root), "--size", size, *more]


def composed(root: Path, model: str, *more: str, size: str = "planned") -> Composed:
    return compose_request(parse("fit", words(root, model, *more, size=size)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_hippocampus(tmp_path, 6)


@pytest.fixture
def measured(root: Path) -> Path:
    store_summary(build_datamodule("hippocampus", root=str(root)))
    return root


def test_without_a_summary_the_error_has_the_command_that_makes_one(root: Path) -> None:
    with pytest.raises(DataError, match=r"no summary of the training cases.*Run `zoo data stats hippocampus --root"):
        composed(root, "nnunet")
    with pytest.raises(DataError, match=r"Run `zoo data stats .* --fold 1`"):
        composed(root, "nnunet", "--data.fold", "1")


@pytest.mark.parametrize(
    ("model", "size", "preset"), [("nnunet", "planned", "plain"), ("resenc_unet", "planned-L", "L")]
)
def test_the_plan_fills_data_and_network(measured: Path, model: str, size: str, preset: str) -> None:
    found = composed(measured, model, size=size)
    wanted = plan(build_datamodule("hippocampus", root=str(measured)).training_summary(), preset)
    assert found.plan == wanted
    values = {key: find_value(found.config, key) for key in FILLED}
    stages = [[list(stage) for stage in one] for one in (wanted.strides, wanted.kernels)]
    assert list(values.values()) == [
        *(list(wanted.patch), wanted.batch_size),
        *(*stages, list(wanted.features)),
    ]
    assert find_value(found.config, "data.foreground_share") == pytest.approx(1 / 3)
    assert find_value(found.config, "model.loss")["dice_per"] == "image"
    assert find_value(found.config, "model.lr") == 0.01, "the recipe is that of the published size"


def test_the_plan_is_in_the_identity_of_a_run_and_a_flag_goes_over_it(measured: Path) -> None:
    request = parse("fit", words(measured, "nnunet", "--data.batch_size", "2"))
    merged = compose_request(request)
    resolved = ZooCLI.from_request(request, merged).resolved()
    data = build_datamodule("hippocampus", root=str(measured))
    known = identity(resolved)
    assert known["plan.summary"] == data.training_summary().hash
    assert known["plan.split"] == data.split_hash
    assert known["plan.preset"] == "plain"
    assert known["data.init_args.batch_size"] == 2
    assert merged.plan is not None
    assert known["model.init_args.strides"] == [list(stage) for stage in merged.plan.strides]
    published = parse("fit", words(measured, "nnunet", size="published"))
    assert not any(
        "plan" in key for key in identity(ZooCLI.from_request(published, compose_request(published)).resolved())
    )


def test_the_plan_of_ct_fills_voxel_size_and_window_where_the_data_set_has_them() -> None:
    grids = (Grid((512, 512, 482), (0.77, 0.77, 1.0), 131),)
    liver = DatasetSummary(grids, labels=3, modality="CT", intensities=(Intensities(-17.0, 201.0, 99.4, 39.4),))
    found = plan(liver)
    values = fill_data(found, {"patch", "batch_size", "spacing", "window", "augment"})["init_args"]
    assert values["spacing"] == [0.77, 0.77, 1.0]
    assert values["window"] == [-17.0, 201.0]
    assert values["augment"] == "full"
    assert fill_data(found, {"patch"})["init_args"] == {"patch": list(found.patch)}
    assert fill_model(found)["init_args"]["loss"] == {"dice_per": "batch"}, "a low-resolution stage is planned as well"


@pytest.mark.parametrize(
    ("model", "size", "message"),
    [
        ("unet", "planned", r"network of 'unet' does not follow.*--size published"),
        ("nnunet", "planned-L", r"the preset L has other blocks.*--size planned-plain"),
        ("resenc_unet", "planned-plain", r"other blocks.*planned-M or planned-L or planned-XL"),
        ("nnunet", "planned-S", r"Unknown size 'planned-S'.*planned"),
    ],
)
def test_a_model_without_such_a_plan_is_refused(root: Path, model: str, size: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        composed(root, model, size=size)


def test_show_prints_the_reasons_of_the_plan(measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["show", "nnunet", "--data", "hippocampus", "--data.root", str(measured)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "plan plain" in shown
    assert "  patch " in shown
    assert "an axis is halved while" in shown
    assert main([*command, "--data.fold", "2"]) == 0
    assert "Run `zoo data stats hippocampus" in capsys.readouterr().out
