"""TMCA's reconstruction: zones, pooling, distances, the gate, and batches with little to contrast."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import Tensor

from zoo.data_facts import DataFacts
from zoo.errors import ConfigError
from zoo.losses.contrastive import text_ids
from zoo.models.base import text_of
from zoo.models.tmca.alignment import (
    DISTANCES,
    AlignedLevel,
    compute_traits,
    gate_losses,
    pool_target,
    semantic_distance,
)
from zoo.models.tmca.model import TMCA
from zoo.registry import CONFIGS, read_yaml
from zoo.types import Batch, ClassPrompt, LabelSpace, Text

LESION = ClassPrompt("lesion", "A bright lesion.")
ORGANS = (ClassPrompt("liver", "The large liver."), ClassPrompt("spleen", "The small spleen."))
REPORTS = ("Target lesions in the left upper zone.", "Target lesions in the right lower zone.", "Nothing.")
FACTS = DataFacts("made_up", 2, 1, (32, 32), LabelSpace(("lesion",), ((1,),), False), (LESION,), "report")
VOLUMES = DataFacts("organs", 3, 1, (16,) * 3, LabelSpace(("liver", "spleen"), ((1,), (2,))), ORGANS, "class")


def module(facts: DataFacts = FACTS, **changes: Any) -> TMCA:
    """A very small one."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vision": "conv", "width": 8, "stages": 2, "head_width": 8, "embedding": 8}
    return TMCA(facts.to_dict(), **{"encoder": "tiny", "norm": "instance", **sizes, **changes})


def batch(*reports: str) -> Batch:
    """One image per report, each with another square; the last of three has none."""
    size = len(reports)
    label = torch.zeros(size, 1, 32, 32, dtype=torch.uint8)
    for i in range(min(size, 2)):
        label[i, :, 4 + 16 * i : 12 + 16 * i, 4 + 16 * i : 12 + 16 * i] = 1
    image = torch.randn(size, 1, 32, 32, generator=torch.Generator().manual_seed(0)) + label
    return Batch(
        image=image,
        label=label,
        case_id=[str(i) for i in range(size)],
        spacing=torch.ones(size, 2),
        classes=(LESION,),
        reports=list(reports),
    )


def volumes(*organs: int) -> Batch:
    """Volumes with class prompts that contain some organs."""
    label = torch.zeros(2, 1, 16, 16, 16, dtype=torch.uint8)
    for organ in organs:
        label[:, :, 8 * organ - 8 : 8 * organ - 4, :4, :4] = organ
    image = torch.randn(2, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    return Batch(image=image, label=label, case_id=["a", "b"], spacing=torch.ones(2, 3), classes=ORGANS)


def losses(model: TMCA, one: Batch) -> dict[str, Tensor]:
    return model.compute_losses(one, model.forward_features(one["image"], model.readable(text_of(one))))


def test_pooling_under_a_full_or_an_empty_mask_is_the_mean() -> None:
    x = torch.randn(2, 3, 4, 4)
    masks = torch.stack([torch.ones(2, 16, 16), torch.zeros(2, 16, 16)], dim=1)
    mean = x.mean((2, 3))[:, None].expand(-1, 2, -1)
    torch.testing.assert_close(pool_target(x, masks), mean)


def test_a_mask_of_one_voxel_is_not_lost() -> None:
    x, masks = torch.randn(1, 3, 2, 2, 2), torch.zeros(1, 1, 32, 32, 32)
    masks[0, 0, 17, 3, 30] = 1
    torch.testing.assert_close(pool_target(x, masks)[0, 0], x[0, :, 1, 0, 1])


@pytest.mark.parametrize("kind", DISTANCES)
def test_every_distance_is_one(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    captions = ["upper left lung", "lower left lung", "lower left lung", "polyp", "polyps"]
    masks = (torch.rand(5, 32, 32, generator=generator) > 0.5).float()
    masks[3:] = 0
    rows = compute_traits(kind, masks, captions, *torch.randn(2, 5, 7, generator=generator))
    ids = text_ids(captions, torch.device("cpu"))
    distance = semantic_distance(kind, rows, torch.tensor([0, 0, 0, 0, 1]), ids)
    assert 0 <= float(distance.min()) <= float(distance.max()) <= 1
    assert not distance.diagonal().any()
    assert not distance.isnan().any()
    assert float(distance[1, 2]) == 0  # one text
    torch.testing.assert_close(distance, distance.T)
    if kind in {"mask", "zone"}:
        assert float(distance[3, 4]) == 1  # another class, or a caption without zones


def test_two_empty_masks_are_alike_and_no_distance_needs_pairs() -> None:
    ids = text_ids(["a", "b"], torch.device("cpu"))
    assert not semantic_distance("mask", torch.zeros(2, 64), torch.zeros(2).long(), ids).any()
    for kind in DISTANCES:
        none = compute_traits(kind, torch.zeros(0, 8, 8), [], torch.zeros(0, 4), torch.zeros(0, 4))
        assert semantic_distance(kind, none, torch.zeros(0).long(), ids[:0]).shape == (0, 0)


def test_the_gate_follows_the_similarity_of_place_and_text() -> None:
    level = AlignedLevel(4, 4, 4, 0.1, 0.5)
    torch.nn.init.eye_(level.visual.weight)
    torch.nn.init.eye_(level.textual.weight)
    torch.nn.init.zeros_(level.visual.bias)
    torch.nn.init.zeros_(level.textual.bias)
    x = torch.zeros(1, 4, 1, 3)
    x[0, 0, 0, 0], x[0, 1, 0, 1], x[0, 2, 0, 2] = 2.0, 2.0, -2.0
    better, logit = level.enhance(x, torch.eye(4)[None, [0, 2]])
    assert logit is not None
    torch.testing.assert_close(logit, torch.tensor([[10.0, 0.0, 0.0]]))
    torch.testing.assert_close(better[0, 0, 0, 0], 2 * (1 + 0.5 * torch.tensor(10.0).sigmoid()))
    torch.testing.assert_close(better[0, 1, 0, 1], torch.tensor(2 * 1.25))


def test_the_loss_of_the_gate_and_its_means_are_those_computed_by_hand() -> None:
    logit, target = torch.tensor([[0.0, 2.0], [-1.0, 3.0]]), torch.tensor([[1.0, 0.5], [0.0, 0.0]])
    gate = logit.sigmoid()
    loss, inside, outside = gate_losses(logit, target)
    by_hand = -(target * gate.log() + (1 - target) * (1 - gate).log()).mean()
    torch.testing.assert_close(loss, by_hand)
    assert inside is not None
    assert outside is not None
    torch.testing.assert_close(inside, (gate[0, 0] + 0.5 * gate[0, 1]) / 1.5)
    torch.testing.assert_close(outside, (0.5 * gate[0, 1] + gate[1, 0] + gate[1, 1]) / 2.5)
    assert gate_losses(logit, torch.zeros(2, 2))[1] is None


@pytest.mark.parametrize(
    ("changes", "closes"), [({}, True), ({"use_text": False}, True), ({"supervise_gate": 0.0}, False)]
)
def test_the_gate_opens_inside_the_target_and_closes_outside(changes: dict[str, Any], closes: bool) -> None:
    """Without its own term nothing closes it, because the contrast reads no place outside a mask."""
    model, one = module(**changes), batch(*REPORTS[:2])
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(25):
        optimiser.zero_grad()
        model.total_loss(losses(model, one)).backward()
        optimiser.step()
    inside, outside = (float(model._watched[name]) for name in ("gate_inside", "gate_outside"))
    assert inside > outside + 0.3
    assert (outside < 0.2) == closes


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(("facts", "one"), [(FACTS, batch(*REPORTS)), (VOLUMES, volumes(1, 2))], ids=["2d", "3d"])
def test_terms_by_distance(distance: str, facts: DataFacts, one: Batch) -> None:
    model = module(facts, distance=distance)
    found = losses(model, one)
    assert set(found) == {"dice", "cross_entropy", "alignment", "target_gate"}
    total = model.total_loss(found)
    assert torch.isfinite(total)
    total.backward()
    assert not [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]


@pytest.mark.parametrize(
    ("facts", "one"),
    [(FACTS, batch("One.", "One.")), (FACTS, batch("One.")), (VOLUMES, volumes()), (VOLUMES, volumes(1))],
    ids=["one text", "batch of one", "no organ", "one organ"],
)
def test_a_missing_contrast_is_logged_once_and_every_parameter_gets_a_gradient(
    facts: DataFacts, one: Batch, caplog: pytest.LogCaptureFixture
) -> None:
    model = module(facts)
    with caplog.at_level(logging.INFO, logger="zoo"):
        for _ in range(2):
            found = losses(model, one)
            assert "alignment" not in found
    assert [message.split(":")[0] for message in caplog.messages] == ["train/alignment"]
    model.total_loss(found).backward()
    assert not [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]


def test_without_text_there_is_no_contrast_and_no_nan() -> None:
    for facts, one in ((FACTS, batch(*REPORTS)), (VOLUMES, volumes(1, 2))):
        model = module(facts, use_text=False)
        found = losses(model, one)
        assert "alignment" not in found
        model.total_loss(found).backward()
        grads = [p.grad for p in model.parameters() if p.requires_grad]
        assert all(g is not None and bool(torch.isfinite(g).all()) for g in grads)


def test_alignment_of_no_weight_is_seen_and_does_not_train() -> None:
    one = batch(*REPORTS)
    for weight in (0.0, 0.1):
        model = module(alignment=weight, enhancement="none")
        found = losses(model, one)
        assert float(found["alignment"].detach()) > 0
        assert "target_gate" not in found
        model.total_loss(found).backward()
        grads = [p.grad for p in model.aligned.parameters()]
        assert all(g is not None for g in grads)
        assert any(bool(g.any()) for g in grads if g is not None) == (weight > 0)


def test_levels_and_targets_change_the_alignment() -> None:
    one = batch(*REPORTS)
    changes: list[dict[str, Any]] = [{}, {"levels": [-1]}, {"levels": [0]}, {"soft_targets": False}]
    values = [float(losses(module(**c), one)["alignment"].detach()) for c in [*changes, {"target_pooling": False}]]
    assert len(set(values)) == len(values)
    assert values[0] == pytest.approx((values[1] + values[2]) / 2, rel=1e-5)


def test_the_contrast_falls_and_retrieval_rises_on_a_fixed_batch() -> None:
    model, one = module(), batch(*REPORTS)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    seen = []
    for _ in range(25):
        found = losses(model, one)
        seen.append(float(found["alignment"].detach()))
        optimiser.zero_grad()
        model.total_loss(found).backward()
        optimiser.step()
    assert seen[-1] < 0.5 * seen[0]
    assert float(model._watched["retrieval"]) == 1.0
    assert float(model._watched["retrieval_chance"]) == pytest.approx(1 / 3)


def test_the_forward_pass_needs_no_label_and_reads_its_text() -> None:
    model, one = module().eval(), batch(*REPORTS)
    with torch.no_grad():
        logits = model(one["image"], text_of(one))
        assert logits.shape == (3, 1, 32, 32)
        alone = model(one["image"][:1], Text((LESION,), REPORTS[:1]))
        torch.testing.assert_close(alone, logits[:1], atol=1e-5, rtol=1e-4)  # nor does a longer report beside it matter
        longer = model(one["image"][:2], Text((LESION,), (REPORTS[0], " ".join(REPORTS * 4))))
        torch.testing.assert_close(longer[:1], logits[:1], atol=1e-5, rtol=1e-4)
        other = model(one["image"], Text((LESION,), REPORTS[::-1]))
        assert float((other - logits).abs().amax((1, 2, 3))[0]) > 1e-6
        odd = model(one["image"][..., :27, :29], text_of(one))
        assert odd.shape == (3, 1, 27, 29)


def test_a_patch_of_one_stride_is_no_trouble() -> None:
    model, image = module(VOLUMES).train(), torch.randn(1, 1, 8, 8, 8)
    assert model.vision.stride == 8
    assert model(image, Text(ORGANS)).shape == (1, 3, 8, 8, 8)


def test_the_gate_reads_class_sentences_too() -> None:
    model, one = module(VOLUMES).eval(), volumes(1, 2)
    with torch.no_grad():
        found = model.forward_features(one["image"], Text(ORGANS)).extra["gates"]
        swapped = model.forward_features(one["image"], Text(ORGANS[::-1])).extra["gates"]
        other = model.forward_features(one["image"], Text((ORGANS[0], ClassPrompt("aorta", "The long aorta.")))).extra[
            "gates"
        ]
    for gate, same, changed in zip(found, swapped, other, strict=True):
        torch.testing.assert_close(gate, same)  # "some class is here" knows no order
        assert not torch.allclose(gate, changed)


def test_state_dict_round_trip() -> None:
    one, model = batch(*REPORTS), module().eval()
    other = module().eval()
    for p in other.parameters():
        torch.nn.init.normal_(p)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(other(one["image"], text_of(one)), model(one["image"], text_of(one)))


VARIANTS = read_yaml(CONFIGS / "ablation" / "tmca.yaml")["variants"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_the_ablation_trains(variant: str) -> None:
    model, one = module(**VARIANTS[variant]["model"]), batch(*REPORTS)
    model.total_loss(losses(model, one)).backward()
    assert not [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]


@pytest.mark.parametrize(
    "changes",
    [
        {"distance": "near"},
        {"enhancement": "much"},
        {"levels": []},
        {"levels": [2]},
        {"levels": [-3]},
        {"alignment": -0.1},
        {"softness": 0.0},
        {"temperature": 0.0},
    ],
)
def test_options_that_there_are_not(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        module(**changes)
