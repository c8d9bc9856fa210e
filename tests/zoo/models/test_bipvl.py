"""BiPVL-Seg: the way of the text to the image, batches without a contrast, layers that run twice, and wrong options."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.text_encoder_folders import write_clip
from zoo.data_facts import DataFacts
from zoo.errors import ConfigError
from zoo.models.base import text_of
from zoo.models.bipvl.fusion import BidirectionalFusion
from zoo.models.bipvl.model import BiPVL
from zoo.models.bipvl.released import BiPVLReleased
from zoo.types import Batch, ClassPrompt, LabelSpace

PROMPT = ClassPrompt("lesion", "A bright lesion.", ("Round.", "In the lung."))
FACTS = DataFacts("made_up", 2, 1, (16, 16), LabelSpace(("lesion",), ((1,),), False), (PROMPT,), "report")


def module(**changes: Any) -> BiPVL:
    """A very small model."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vision": "conv", "width": 8, "stages": 2, "heads": 2, "embedding": 8}
    return BiPVL(FACTS.to_dict(), **{"encoder": "tiny", **sizes, **changes})


def batch(*reports: str, value: int = 1) -> Batch:
    """One image a report, its label all of one value."""
    size = len(reports)
    return Batch(
        image=torch.randn(size, 1, 16, 16, generator=torch.Generator().manual_seed(0)),
        label=torch.full((size, 1, 16, 16), value, dtype=torch.uint8),
        case_id=[str(i) for i in range(size)],
        spacing=torch.ones(size, 2),
        classes=(PROMPT,),
        reports=list(reports),
    )


def losses(model: BiPVL, one: Batch) -> dict[str, torch.Tensor]:
    return model.compute_losses(one, model.forward_features(one["image"], text_of(one)))


def test_the_log_says_once_that_a_contrast_is_absent(caplog: pytest.LogCaptureFixture) -> None:
    model = module()
    with caplog.at_level(logging.INFO, logger="zoo"):
        assert {"align_global", "align_local"} <= set(losses(model, batch("Left zone.", "Right zone.")))
        assert not caplog.messages
        for _ in range(2):
            assert not {"align_global", "align_local"} & set(losses(model, batch("Left zone.", "Left zone.")))
    assert [message.split(":")[0] for message in caplog.messages] == ["train/align_global", "train/align_local"]


@pytest.mark.parametrize("seed", range(3))
def test_another_text_changes_the_image_tokens_by_place_before_training(seed: int) -> None:
    """Without norms the change was 1/800 of the variation of the tokens, and most trainings never used the text."""
    torch.manual_seed(seed)
    fusion = BidirectionalFusion(64, 64, heads=4)
    image, mask = torch.randn(1, 64, 64), torch.ones(1, 8, dtype=torch.bool)
    one, other = (fusion(0.5 * torch.randn(1, 8, 64), mask, image, (8, 8)).vision for _ in range(2))
    assert (one - other).std(1).mean() > 0.02 * one.std(1).mean()


def test_every_parameter_of_a_trained_clip_has_a_part_without_foreground(tmp_path: Path) -> None:
    """Its last norm stands behind the layers, where only the concepts of a class that is there would pass."""
    model = module(encoder=str(write_clip(tmp_path / "clip")), freeze_text=False)
    model.total_loss(losses(model, batch("Left zone.", "Right zone.", value=0))).backward()
    assert not [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]


@pytest.mark.parametrize("released", [False, True])
def test_recomputing_text_layers_changes_no_gradient(released: bool) -> None:
    plain, frugal = (module(released=BiPVLReleased(network=released), checkpoint=on).train() for on in (False, True))
    for model in (plain, frugal):
        model.total_loss(losses(model, batch("Left zone.", "Right zone."))).backward()
    for (name, p), q in zip(plain.named_parameters(), frugal.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, msg=name)


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"-1\.0"):
        module(align_local=-1.0)
