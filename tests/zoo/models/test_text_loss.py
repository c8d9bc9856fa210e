"""The option `--model.text_loss` of a vision-only model: its values, its record, and a model that is loaded."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
import torch

from benchmarks.leaderboard.aggregate import _describe_options
from tests.zoo.models.test_parameter_counts import CHANNELS, build
from zoo.callbacks.manifest import encoder_versions
from zoo.config import identity
from zoo.engine.cost_estimate import find_hub_files
from zoo.errors import ConfigError
from zoo.models import UNet


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text_loss": "clip"}, r"--model.text_loss clip: there is no such loss. There is lg_sdg"),
        ({"text_loss": "lg_sdg:tiny", "text_loss_weight": -1.0}, r"weight -1.0 is negative"),
        ({"text_loss_weight": 0.5}, r"belong to --model.text_loss. Give --model.text_loss lg_sdg"),
        ({"text_loss_released": False}, r"belong to --model.text_loss"),
    ],
)
def test_an_option_without_a_meaning_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("unet", channels=CHANNELS, **options)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, ""),
        ({"text_loss": "lg_sdg:tiny"}, "lg_sdg:tiny"),
        (
            {"text_loss": "lg_sdg:tiny", "text_loss_weight": 0.5, "text_loss_released": True},
            "lg_sdg:tiny weight 0.5 released",
        ),
    ],
)
def test_a_row_says_with_which_text_loss_it_was_trained(options: dict[str, Any], shown: str) -> None:
    model = build("unet", channels=CHANNELS, **options)
    assert isinstance(model, UNet)
    assert model.text_loss_shown == shown
    assert _describe_options("", [{"text_loss": shown or None}]) == shown
    joined = "model.text_loss=lg_sdg:tiny"
    assert _describe_options(joined, [{"text_loss": shown or None}]) == joined


def test_a_run_without_the_option_keeps_its_identity() -> None:
    unset = {"text_loss": None, "text_loss_weight": None, "text_loss_released": None}
    assert identity({"model": {"init_args": {"lr": 1.0, **unset}}}) == identity({"model": {"init_args": {"lr": 1.0}}})
    hyper = build("unet", channels=CHANNELS).hparams
    assert {name: hyper[name] for name in unset} == unset


def test_the_text_encoder_is_built_for_a_training_only() -> None:
    """A trained model segments without the encoder, and its checkpoint has the projection alone."""
    with patch("zoo.models.vision_only.build_text_encoder", side_effect=AssertionError("built")):
        model = build("unet", channels=CHANNELS, text_loss="lg_sdg:tiny")
    assert [name for name in model.state_dict() if name.startswith("alignment")] == [
        "alignment.project.weight",
        "alignment.project.bias",
    ]
    assert encoder_versions(model) == {}
    model.setup("fit")
    assert set(encoder_versions(model)) == {"tiny"}
    counts = model.count_parameters()
    assert counts["text_path"] == 8 * 64 + 64
    assert counts["text_encoder"] == 0


def test_the_weights_of_the_text_loss_are_looked_for_before_a_training() -> None:
    config = {"model": {"init_args": {"text_loss": "lg_sdg:clip_vit_b32"}}}
    assert [(one.option, one.repo) for one in find_hub_files(config)] == [
        ("model.text_loss", "timm/vit_base_patch32_clip_224.openai")
    ]


def test_one_class_with_reports_is_drawn_to_its_report() -> None:
    from zoo import make_facts
    from zoo.types import Batch, Text

    torch.manual_seed(0)
    model = UNet(make_facts(["lesion"], patch=[32, 32]), channels=CHANNELS, text_loss="lg_sdg:tiny").train()
    label = torch.zeros(2, 1, 32, 32, dtype=torch.uint8)
    label[..., :16] = 1
    found = []
    for reports in (["left lung", "right lung"], ["left lung", "left lung"]):
        batch: Batch = {
            "image": torch.ones(2, 1, 32, 32),
            "label": label,
            "case_id": ["a", "b"],
            "spacing": torch.ones(2, 2),
            "classes": model.facts.prompts,
            "reports": reports,
        }
        output = model.forward_features(batch["image"], Text(batch["classes"], tuple(reports)))
        found.append(float(model.compute_losses(batch, output)["lg_sdg"].detach()))
    assert found[0] != pytest.approx(found[1], abs=1e-6)
