"""TeViA: the parameters that its alignment trains, the foreground vectors, and any pair of encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.helpers.text_encoder_folders import write_bert, write_clip
from zoo.data_facts import DataFacts
from zoo.errors import ConfigError
from zoo.losses.segmentation import LossOptions
from zoo.models.base import text_of
from zoo.models.tevia.model import TeViA
from zoo.models.tevia.prototype import FOREGROUNDS, alignment_loss
from zoo.models.tevia.released import TeViAReleased
from zoo.registry import CONFIGS, read_yaml
from zoo.types import Batch, ClassPrompt, LabelSpace, Text

PROMPT = ClassPrompt("lesion", "A bright lesion.", ("Round.", "In the lung."))
FACTS = DataFacts("made_up", 2, 1, (32, 32), LabelSpace(("lesion",), ((1,),), False), (PROMPT,), "report")
ORGANS = tuple(ClassPrompt(name, f"The {name} of the patient.", (name,)) for name in ("liver", "spleen", "kidney"))
ORGAN_SPACE = LabelSpace(tuple(p.name for p in ORGANS), ((1,), (2,), (3,)), True)
SMALL: dict[str, Any] = {"encoder": "tiny", "vision": "conv", "width": 8, "stages": 2, "head_width": 8, "heads": 2}
REPORTS = ("The left lesion.", "Right kidney, and more of the liver.")
ABLATION = CONFIGS / "ablation" / "tevia.yaml"


def organs(dims: int, side: int = 32) -> DataFacts:
    """Facts of three exclusive classes with prompts and no reports."""
    return DataFacts("organs", dims, 1, (side,) * dims, ORGAN_SPACE, ORGANS, "class")


def module(facts: DataFacts = FACTS, **changes: Any) -> TeViA:
    """A very small model, the same at every call."""
    torch.manual_seed(0)
    return TeViA(facts.to_dict(), **{**SMALL, "norm": "instance", **changes})


def batch(*reports: str, value: int = 1, side: int = 32) -> Batch:
    """One image per report; the label is a square of one value."""
    size = len(reports)
    label = torch.zeros(size, 1, side, side, dtype=torch.uint8)
    label[:, :, 4:12, 10:20] = value
    return Batch(
        image=torch.randn(size, 1, side, side, generator=torch.Generator().manual_seed(0)),
        label=label,
        case_id=[str(i) for i in range(size)],
        spacing=torch.ones(size, 2),
        classes=(PROMPT,),
        reports=list(reports),
    )


def organ_batch(*sides: int, size: int = 2) -> Batch:
    """Images without a report; the last class is absent."""
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(0, 3, (size, 1, *sides), generator=generator, dtype=torch.uint8)
    return Batch(
        image=torch.randn(size, 1, *sides, generator=generator),
        label=label,
        case_id=[str(i) for i in range(size)],
        spacing=torch.ones(size, len(sides)),
        classes=ORGANS,
    )


def losses(model: TeViA, one: Batch) -> dict[str, Tensor]:
    return model.compute_losses(one, model.forward_features(one["image"], text_of(one)))


def reached(model: TeViA, term: Tensor) -> set[str]:
    """The parameters with a nonzero gradient of a term."""
    model.zero_grad()
    term.backward()
    return {name for name, p in model.named_parameters() if p.grad is not None and bool(p.grad.any())}


@pytest.mark.parametrize("tokens", [None, 24])
def test_alignment_teaches_the_text_projections_and_prompts_alone(tokens: int | None) -> None:
    model = module(
        released=TeViAReleased(tokens=tokens)
    )  # its text encoder is trained with the model, but not by the alignment
    hit = reached(model, losses(model, batch(*REPORTS))["alignment"])
    allowed = {n for n, _ in model.named_parameters() if n.startswith("prompts.") or ".project." in n}
    assert hit == allowed
    assert any(name.startswith("text.") for name in reached(model, losses(model, batch(*REPORTS))["dice"]))


def test_alignment_of_several_classes_leaves_the_text_encoder_alone_too() -> None:
    model = module(organs(2))
    hit = reached(model, losses(model, organ_batch(32, 32))["alignment"])
    assert hit
    assert all(n.startswith("prompts.") or ".project." in n for n in hit)


@pytest.mark.parametrize("foreground", FOREGROUNDS)
@pytest.mark.parametrize("skip_empty", [True, False])
def test_empty_masks_keep_the_loss_finite(foreground: str, skip_empty: bool) -> None:
    model = module(released=TeViAReleased(foreground=foreground, skip_empty=skip_empty))
    terms = losses(model, batch(*REPORTS, value=0))
    assert float(terms["alignment"].detach()) == pytest.approx(0.0 if skip_empty else 1.0)
    total = model.total_loss(terms)
    total.backward()
    assert torch.isfinite(total)
    assert not [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]


def test_an_empty_mask_among_others_is_skipped() -> None:
    text, visual = torch.randn(2, 1, 4), torch.randn(2, 1, 4)
    alone = 1 - F.cosine_similarity(text[0, 0], visual[0, 0], dim=0)
    used = torch.tensor([[True], [False]])
    torch.testing.assert_close(alignment_loss([text], [visual], [used]), alone)


@pytest.mark.parametrize("encoder", ["tiny", "bert", "clip"])
@pytest.mark.parametrize(
    ("vision", "width", "stages", "dims"),
    [("conv", 8, 2, 2), ("swin_v2", 12, 4, 2), ("convnext", 8, 3, 2), ("conv", 8, 2, 3), ("swin_v2", 12, 4, 3)],
)
def test_any_vision_encoder_with_any_text_encoder(
    encoder: str, vision: str, width: int, stages: int, dims: int, tmp_path: Path
) -> None:
    """Forward, backward, and an alignment that reaches the projections."""
    if encoder == "bert":
        (tmp_path / "text").mkdir()
        name = str(write_bert(tmp_path / "text"))
    else:
        name = "tiny" if encoder == "tiny" else str(write_clip(tmp_path / "text"))
    model = module(organs(dims, 64), encoder=name, vision=vision, width=width, stages=stages)
    one = organ_batch(64, *[32] * (dims - 1), size=1)  # the norm of the deepest stage needs two places
    output = model.forward_features(one["image"], text_of(one))
    assert output.logits.shape == (1, 4, *one["image"].shape[2:])
    terms = model.compute_losses(one, output)
    projections = [p for stage in model.decoder.stages for p in stage.project.parameters()]  # type: ignore[union-attr]
    gradients = torch.autograd.grad(terms["alignment"], projections, retain_graph=True)
    assert all(bool(g.any()) for g in gradients)
    model.total_loss(terms).backward()
    assert not [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert model.prototypes is not None
    assert model.prototypes.filled.tolist() == [[1] * stages, [1] * stages, [0] * stages]  # no kidney


def test_image_and_text_are_enough_and_a_batch_of_one_works() -> None:
    model = module(norm="batch")
    one = batch(REPORTS[0])
    model.total_loss(losses(model, one)).backward()
    model.eval()
    with torch.no_grad():
        assert model(one["image"], text_of(one)).shape == (1, 1, 32, 32)


@pytest.mark.parametrize("side", [32, 37])
def test_the_prompt_counts_and_padding_does_not(side: int) -> None:
    """With a long string beside it, a short one is padded; an odd image is padded and cropped."""
    model = module().eval()
    image = batch(*REPORTS, side=side)["image"][:1].expand(2, -1, -1, -1)
    with torch.no_grad():
        alone = model(image[:1], Text((PROMPT,), REPORTS[:1]))
        both = model(image, Text((PROMPT,), REPORTS))
    assert alone.shape == (1, 1, side, side)
    torch.testing.assert_close(both[:1], alone, atol=1e-5, rtol=1e-5)
    assert (both[0] - both[1]).abs().max() > 1e-5


def test_prototype_changes_the_logits_once_it_is_there_and_can_stay_off_at_test() -> None:
    model, off = module(), module(released=TeViAReleased(prototype_at_test=False))
    one = batch(*REPORTS)
    for each in (model, off):
        losses(each, one)
        each.eval()
    without = module(prototype=False).eval()
    assert without.prototypes is None
    with torch.no_grad():
        logits = [each(one["image"], text_of(one)) for each in (model, off, without)]
    assert logits[1].equal(logits[2])
    assert not torch.allclose(logits[0], logits[1], atol=1e-6)


def test_retrieval_is_watched_where_two_texts_are_there() -> None:
    model = module()
    losses(model, batch(*REPORTS))
    assert model._watched["retrieval_chance"] == 0.5
    model._watched.clear()
    losses(model, batch(REPORTS[0], REPORTS[0]))
    assert not model._watched


def test_text_off_trains() -> None:
    model = module(use_text=False)
    one = batch(*REPORTS)
    output = model.forward_features(one["image"], model.readable(text_of(one)))
    total = model.total_loss(model.compute_losses(one, output))
    total.backward()
    assert torch.isfinite(total)


def test_released_segmentation_is_dice_of_each_image_alone() -> None:
    model, mended = module(loss=LossOptions(dice_per="image", cross_entropy=0.0)), module()
    one = batch(*REPORTS)
    one["label"][1] = 0
    output = model.forward_features(one["image"], text_of(one))
    terms = model.compute_losses(one, output)
    torch.testing.assert_close(model.total_loss(terms), terms["dice"] + 0.1 * terms["alignment"])
    both = losses(mended, one)
    weighted = both["dice"] + both["cross_entropy"] + 0.1 * both["alignment"]
    torch.testing.assert_close(mended.total_loss(both), weighted)
    p, y = output.logits.sigmoid().flatten(1), one["label"].flatten(1)
    dice = (1 - (2 * (p * y).sum(1) + 1e-5) / (p.sum(1) + y.sum(1) + 1e-5)).mean()
    torch.testing.assert_close(terms["dice"], dice)


def test_dropout_of_a_frozen_text_encoder_lives_where_asked(tmp_path: Path) -> None:
    folder = str(write_bert(tmp_path))
    for dropout in (False, True):
        model = module(encoder=folder, released=TeViAReleased(text_dropout=dropout))
        one = batch(*REPORTS)
        reads = [model.forward_features(one["image"], text_of(one)).extra["tokens"] for _ in range(2)]
        assert reads[0].equal(reads[1]) != dropout
        assert not [n for n, p in model.named_parameters() if n.startswith("text.") and p.requires_grad]
        model.total_loss(losses(model, one)).backward()
        model.eval()
        with torch.no_grad():
            reads = [model.forward_features(one["image"], text_of(one)).extra["tokens"] for _ in range(2)]
        assert reads[0].equal(reads[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"released": {"foreground": "pooled"}}, "masked_mean"),
        ({"released": {"prototype_updates": "never"}}, "always"),
        ({"prototype_start": 1.0}, r"in \[0, 1\)"),
        ({"alignment": -1.0}, "0 or more"),
    ],
)
def test_a_wrong_option_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        module(**changes)


def test_updates_from_validation_are_refused_in_3d() -> None:
    with pytest.raises(ConfigError, match="2D"):
        module(organs(3), released=TeViAReleased(prototype_updates="always"))


@pytest.mark.parametrize("name", sorted(read_yaml(ABLATION)["variants"]))
def test_every_variant_of_the_ablation_trains(name: str) -> None:
    """The release with all its defects among them."""
    changes = read_yaml(ABLATION)["variants"][name]["model"]
    model = module(**changes)
    one = batch(*REPORTS)
    output = model.forward_features(one["image"], model.readable(text_of(one)))
    total = model.total_loss(model.compute_losses(one, output))
    total.backward()
    assert torch.isfinite(total)
    assert not [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
