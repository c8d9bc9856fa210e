"""The parameters of each part of a model, and the text path against the same network without text."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from zoo import make_facts, models
from zoo.cards import ModelCard
from zoo.encoders.text import build_text_encoder
from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.models.parameter_counts import count_parameters
from zoo.registry import MODELS
from zoo.types import Text

CHANNELS = (4, 4, 8, 8, 8, 4)
NAMES = [card.name for card in MODELS if not card.broken and ModelCard.of(card).vision != "own"]


def build(name: str, **options: Any) -> SegModule:
    """Return a small model by its name."""
    card = MODELS.get(name)
    kind = getattr(models, card.config["model"]["class_path"].rpartition(".")[2])
    encoder = {"encoder": "tiny", "freeze_text": True} if ModelCard.of(card).reads_text else {}
    model: SegModule = kind(make_facts(["liver", "spleen"], patch=[32, 32]), **(encoder | options))
    return model


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_of_every_model_add_up(name: str) -> None:
    counts = build(name, vision="unet", width=8, stages=2).count_parameters()
    assert all(isinstance(count, int) for count in counts.values())
    path = counts["text_path"] or 0
    parts = (counts["vision"], counts["text_encoder"], counts["text_path"], counts["decoder"])
    assert sum(count or 0 for count in parts) == counts["total"]
    assert (path > 0) == ModelCard.of(MODELS.get(name)).reads_text
    assert (counts["vision"] or 0) > 0
    assert counts["trainable"] == (counts["total"] or 0) - (counts["text_encoder"] or 0)


@pytest.mark.parametrize("name", ["film", "unet_concat"])
def test_the_text_path_is_what_the_network_without_text_lacks(name: str) -> None:
    with_text, without = (build(one, channels=CHANNELS).count_parameters() for one in (name, "unet"))
    assert with_text["text_path"] == (with_text["trainable"] or 0) - (without["trainable"] or 0)
    assert without["text_path"] == 0


def test_a_trained_text_encoder_belongs_to_the_text_path() -> None:
    frozen, trained = (build("film", channels=CHANNELS, freeze_text=one).count_parameters() for one in (True, False))
    assert frozen["text_encoder"] == trained["text_encoder"]
    assert (trained["text_path"] or 0) - (frozen["text_path"] or 0) == frozen["text_encoder"]
    assert trained["total"] == frozen["total"]


@pytest.mark.parametrize("freeze", [True, False])
def test_the_variant_without_text_keeps_its_text_path(freeze: bool) -> None:
    on, off = (
        build("film", channels=CHANNELS, freeze_text=freeze, use_text=one).count_parameters() for one in (True, False)
    )
    assert on["text_path"] == off["text_path"]


def test_a_code_of_one_hot_has_no_text_path() -> None:
    assert build("unet_hyper", channels=CHANNELS, code="one_hot").count_parameters()["text_path"] == 0


def test_a_frozen_fusion_is_no_trained_text_path() -> None:
    options = {"vision": "conv", "width": 8, "stages": 2, "heads": 2}
    free, frozen = (
        build("bipvl", released={"freeze_fusion": one}, **options).count_parameters() for one in (False, True)
    )
    assert (frozen["text_path"] or 0) < (free["text_path"] or 0)
    assert frozen["decoder"] == free["decoder"]


def test_a_model_that_does_not_declare_its_text_path_has_an_unknown_number() -> None:
    class Undeclared(SegModule):
        def __init__(self) -> None:
            super().__init__(make_facts(["liver"], patch=[32, 32]))
            self.text = build_text_encoder("tiny", freeze=True)
            self.head = torch.nn.Conv2d(1, 1, 1)

        def forward_features(self, image: torch.Tensor, text: Text) -> Output:
            return Output(self.head(image))

    counts = count_parameters(Undeclared())
    assert counts["text_path"] is None
    assert counts["trainable"] == counts["decoder"] == 2
