"""`--freeze encoder`: the vision encoder keeps weights and statistics, and the rest of the model is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

import zoo
from benchmarks.storage.training_conditions import describe_training
from tests.helpers.sample_benchmark import job
from zoo.callbacks import AveragedWeights, FrozenEncoder
from zoo.callbacks.manifest import RunRecord
from zoo.config import Composed, config_hash
from zoo.encoders.staged_encoder import VisionEncoder
from zoo.engine.arguments import Request, parse
from zoo.engine.training_options import add_callbacks
from zoo.errors import ConfigError
from zoo.models import SegModule, UNet


def tiny() -> SegModule:
    torch.manual_seed(0)
    return UNet(zoo.make_facts(["lesion"], patch=[16, 16]), vision="unet", width=4, stages=2, norm="batch")


def batches() -> DataLoader[Any]:
    image = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    batch = {"image": image, "label": (image > 0.5).long(), "case_id": ["a", "b"], "classes": tiny().facts.prompts}
    both: Any = [batch, batch]
    return DataLoader(both, batch_size=None)


def fit(model: LightningModule, *callbacks: Any) -> Trainer:
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, limit_val_batches=0, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=list(callbacks),
    )  # fmt: skip
    trainer.fit(model, batches())
    return trainer


def parts(model: SegModule) -> tuple[Mapping[str, torch.Tensor], Mapping[str, torch.Tensor]]:
    """Return the state of the vision encoder, and that of the rest."""
    (name,) = (name for name, part in model.named_modules() if isinstance(part, VisionEncoder))
    state = {key: value.clone() for key, value in model.state_dict().items()}
    inside = {key: value for key, value in state.items() if key.startswith(f"{name}.")}
    return inside, {key: value for key, value in state.items() if key not in inside}


@pytest.mark.parametrize("others", [(), (AveragedWeights(0.5),)])
def test_the_encoder_keeps_weights_and_statistics_and_the_rest_is_trained(others: tuple[Any, ...]) -> None:
    model = tiny()
    encoder, rest = parts(model)
    assert any("running_mean" in name for name in encoder)
    trainer = fit(model, FrozenEncoder(), *others)
    now, trained = parts(model)
    assert all(torch.equal(now[name], value) for name, value in encoder.items())
    changed = [
        name for name, value in rest.items() if value.is_floating_point() and not torch.equal(trained[name], value)
    ]
    assert len(changed) > len(rest) / 2
    known = RunRecord(None, None, "", {}, True)._describe(trainer, model)  # type: ignore[arg-type]  # it writes nothing
    assert known["frozen"] == "encoder"
    assert known["params_trainable"] < known["params"]
    assert describe_training(job(), known)["vision"] == "unet, width 4, stages 2, frozen"


def test_a_model_without_an_encoder_or_without_anything_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="LightningModule has no vision encoder of its own"):
        FrozenEncoder().setup(Trainer(logger=False, enable_checkpointing=False), LightningModule(), "fit")
    model = tiny()
    for name, weight in model.named_parameters():
        weight.requires_grad_("vision" in name)
    with pytest.raises(ConfigError, match="nothing else is trained in UNet"):
        FrozenEncoder().setup(Trainer(logger=False, enable_checkpointing=False), model, "fit")


def test_freezing_is_part_of_the_identity_and_no_part_but_the_encoder_can_be_frozen() -> None:
    plain = Composed({}, "unet", "phantom_chest", "tiny")
    frozen = add_callbacks(parse("fit", ["--freeze", "encoder"]), plain)
    assert frozen.config["trainer"]["callbacks"] == [{"class_path": "zoo.callbacks.FrozenEncoder"}]
    assert config_hash(frozen.config) != config_hash(add_callbacks(Request("fit"), plain).config)
    with pytest.raises(ConfigError, match="Unknown freeze 'decoder'"):
        parse("fit", ["--freeze", "decoder"])


def test_a_package_of_a_hub_is_a_value_of_init_from() -> None:
    name = "hub:lab/organs@" + "0" * 40
    assert str(parse("fit", ["--init-from", name]).init_from) == name
