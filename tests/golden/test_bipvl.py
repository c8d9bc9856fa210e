"""BiPVL-Seg as published: what reads what, which layers run when, and what each ablation changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from zoo.data_facts import DataFacts
from zoo.models.base import text_of
from zoo.models.bipvl.model import BiPVL
from zoo.models.bipvl.released import BiPVLReleased
from zoo.registry import CONFIGS
from zoo.types import Batch, ClassPrompt, LabelSpace, Text

PROMPTS = (
    ClassPrompt("left_kidney", "The left kidney beside the spine.", ("A bean.", "On the left of the spine.")),
    ClassPrompt("spleen", "The spleen.", ("A wedge.", "In the left upper abdomen.", "Bright.")),
)
CLASSES = DataFacts(
    "abdomen", 3, 1, (16, 16, 16), LabelSpace(("left_kidney", "spleen"), ((1,), (2,)), True), PROMPTS, "class"
)
LESION = (ClassPrompt("lesion", "A bright lesion.", ("Round.", "In the lung.")),)
REPORTS = DataFacts("chest", 2, 1, (16, 16), LabelSpace(("lesion",), ((1,),), False), LESION, "report")
SENTENCES = ("Left upper zone, small.", "Right lower zone, large.", "Left lower zone.", "Right upper zone.")


RELEASED: dict[str, Any] = {"released": BiPVLReleased(network=True)}
FROZEN: dict[str, Any] = {"released": BiPVLReleased(freeze_fusion=True)}


def module(facts: DataFacts = REPORTS, **changes: Any) -> BiPVL:
    """Return a very small model whose text reads the image: the gate of that path starts at zero and is set here."""
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vision": "conv", "width": 8, "stages": 2, "heads": 2, "embedding": 16}
    model = BiPVL(facts.to_dict(), **{"encoder": "tiny", **sizes, **changes})
    for name, weight in model.named_parameters():
        if name.endswith(".gate"):
            nn.init.ones_(weight)
    return model


def images(facts: DataFacts, size: int, seed: int = 0) -> Tensor:
    return torch.randn(size, 1, *facts.patch, generator=torch.Generator().manual_seed(seed))


def batch(facts: DataFacts = REPORTS, size: int = 4) -> Batch:
    """Return a batch with every class in every sample, and one report per sample if the data set has reports."""
    label = torch.zeros(size, 1, *facts.patch, dtype=torch.uint8)
    label[:, :, :8] = 1
    if facts.labels.exclusive:
        label[:, :, 8:12] = 2
    one = Batch(
        image=images(facts, size),
        label=label,
        case_id=[str(i) for i in range(size)],
        spacing=torch.ones(size, facts.spatial_dims),
        classes=facts.prompts,
    )
    if facts.track == "report":
        one["reports"] = list(SENTENCES[:size])
    return one


def losses(model: BiPVL, one: Batch) -> dict[str, Tensor]:
    return model.compute_losses(one, model.forward_features(one["image"], model.readable(text_of(one))))


def without_gradient(model: nn.Module) -> list[str]:
    return [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]


@contextmanager
def strings_run(model: BiPVL, layer: int) -> Iterator[list[int]]:
    """Record the number of strings that pass a text layer in each call."""
    rows: list[int] = []
    layers: Any = model.text._backbone.layers
    handle = layers[layer].register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    yield rows
    handle.remove()


@pytest.mark.parametrize(("changes", "reads"), [({}, True), (RELEASED, False), ({"fusion": False}, False)])
def test_concepts_read_the_image_in_the_paper_and_not_in_the_release(changes: dict[str, Any], reads: bool) -> None:
    model = module(**changes)
    one = batch()
    found = []
    for seed in (0, 1):
        image = images(REPORTS, 4, seed).requires_grad_()
        textual = textual_embeddings(model, image, one)
        found.append(textual.detach())
        gradient = torch.autograd.grad(textual.pow(3).sum(), image, allow_unused=True)[0]
        assert (gradient is not None and bool(gradient.abs().sum() > 0)) == reads
    assert torch.equal(*found) != reads


def textual_embeddings(model: BiPVL, image: Tensor, one: Batch) -> Tensor:
    """Return the textual embeddings U that enter the alignment."""
    caught: list[Tensor] = []
    handle = model.text_projection.register_forward_hook(lambda _, __, out: caught.append(out))
    model.compute_losses(one, model.forward_features(image, text_of(one)))
    handle.remove()
    return caught[0]


def variants() -> dict[str, dict[str, Any]]:
    """Return the variants of the ablation, the full method, and networks without text."""
    ablation = yaml.safe_load((CONFIGS / "ablation" / "bipvl.yaml").read_text(encoding="utf-8"))["variants"]
    return {
        "full": {},
        "release_no_text": {**RELEASED, "use_text": False},
        "no_fusion_no_text": {"fusion": False, "use_text": False},
        **{name: variant["model"] for name, variant in ablation.items()},
    }


@pytest.mark.parametrize("facts", [REPORTS, CLASSES], ids=["2d", "3d"])
@pytest.mark.parametrize("variant", variants())
def test_each_variant_gives_every_parameter_a_finite_gradient(facts: DataFacts, variant: str) -> None:
    changes = variants()[variant]
    model = module(facts, **changes).train()
    one = batch(facts, 2)
    for label in (one["label"], torch.zeros_like(one["label"])):
        model.zero_grad()
        total = model.total_loss(losses(model, {**one, "label": label}))
        assert torch.isfinite(total)
        total.backward()
        assert not without_gradient(model)
        assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", ["align_global", "align_local", "class_embedding"])
def test_a_term_of_weight_zero_is_logged_and_trains_nothing(name: str) -> None:
    model, one = module(REPORTS, **{name: 0.0}), batch()
    terms = losses(model, one)
    doubled = {**terms, name: 2 * terms[name]}
    assert float(terms[name].detach()) > 0
    assert model.total_loss(terms).item() == pytest.approx(model.total_loss(doubled).item(), rel=1e-6)
    full = module()
    assert full.total_loss(terms).item() != pytest.approx(full.total_loss(doubled).item(), rel=1e-6)


def test_a_group_of_weight_zero_leaves_its_learned_weight_alone() -> None:
    model = module(align_global=0.0, align_local=0.0)
    model.total_loss(losses(model, batch())).backward()
    gradients = {name: float(s.grad) for name, s in model.weights.log_variance.items() if s.grad is not None}
    assert gradients["alignment"] == 0
    assert gradients["segmentation"] != 0


def changed_by_words(model: BiPVL, facts: DataFacts) -> bool:
    """Return whether other words give other logits."""
    text = text_of(batch(facts))
    other = Text(
        tuple(prompt._replace(sentence="An unrelated remark.", concepts=("Nothing.",)) for prompt in text.classes),
        None if text.reports is None else ("Nothing.",) * len(text.reports),
    )
    with torch.no_grad():
        change = (model.eval()(images(facts, 4), text) - model(images(facts, 4), other)).abs().max()
    return bool(change > 1e-6)


@pytest.mark.parametrize("facts", [REPORTS, CLASSES], ids=["2d", "3d"])
@pytest.mark.parametrize(
    ("changes", "heeds"),
    [({}, True), (RELEASED, True), (FROZEN, True), ({"fusion": False}, False)],
    ids=str,
)
def test_other_words_give_other_logits_unless_nothing_is_exchanged(
    facts: DataFacts, changes: dict[str, Any], heeds: bool
) -> None:
    assert changed_by_words(module(facts, **changes), facts) == heeds


@pytest.mark.parametrize("released", [False, True])
def test_a_longer_neighbour_changes_no_logits(released: bool) -> None:
    model, text = module(released=BiPVLReleased(network=released)).eval(), text_of(batch())
    assert text.reports is not None
    longer = text._replace(reports=(*text.reports[:3], "Right upper zone, " + "very " * 30 + "large."))
    with torch.no_grad():
        before, after = (model(images(REPORTS, 4), t) for t in (text, longer))
        alone = model(images(REPORTS, 4)[:1], text._replace(reports=text.reports[:1]))
    torch.testing.assert_close(after[:3], before[:3], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone, before[:1], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(after[3], before[3], atol=1e-5)


@pytest.mark.parametrize("released", [False, True])
def test_a_batch_of_one_trains(released: bool) -> None:
    model = module(CLASSES, released=BiPVLReleased(network=released)).train()
    terms = losses(model, batch(CLASSES, 1))
    assert {"align_global", "align_local"} <= set(terms)  # its two classes are the contrast
    model.total_loss(terms).backward()
    assert not without_gradient(model)


def test_frozen_fusion_stays_random_and_is_in_the_checkpoint(tmp_path: Path) -> None:
    model, other = module(**FROZEN).train(), module(**FROZEN, lr=0.1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    assert all(bool(p.abs().sum() > 0) for name, p in before.items() if name.endswith(".gate"))
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.total_loss(losses(model, batch())).backward()
    optimiser.step()
    moved = {name for name, p in model.named_parameters() if not p.equal(before[name])}
    assert not {name for name in moved if name.startswith("fusions.")}
    assert any(name.startswith("vision.") for name in moved)
    assert {name for name in before if name.startswith("fusions.")} <= set(model.state_dict())
    with torch.no_grad():
        for p in other.parameters():
            p.add_(1)
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    with torch.no_grad():
        logits = [m.eval()(images(REPORTS, 4), text_of(batch())) for m in (model, other)]
    assert torch.equal(*logits)


@pytest.mark.parametrize("changes", [{}, RELEASED, {"fusion": False}], ids=str)
def test_the_contrast_falls_where_there_are_one_class_and_reports(changes: dict[str, Any]) -> None:
    """With one class and reports, the negatives are the reports of the other samples and not the other classes."""
    model, one = module(**changes).train(), batch()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    course = []
    for _ in range(25):
        terms = losses(model, one)
        course.append((terms["align_global"].item(), terms["align_local"].item()))
        optimiser.zero_grad()
        model.total_loss(terms).backward()
        optimiser.step()
    assert all(last < 0.6 * first for first, last in zip(course[0], course[-1], strict=True))
    assert float(model._watched["retrieval"]) == 1
    assert float(model._watched["retrieval_chance"]) == 0.25


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("freeze", [False, True])
def test_text_before_the_fusion_is_run_once_at_inference(released: bool, freeze: bool) -> None:
    model, text = (
        module(CLASSES, released=BiPVLReleased(network=released), freeze_text=freeze).eval(),
        text_of(batch(CLASSES)),
    )
    windows = [images(CLASSES, 1, seed) for seed in range(3)]
    afresh = [model(window, text) for window in windows]  # with gradient a trained encoder keeps nothing
    model.train().eval()
    with torch.inference_mode(), strings_run(model, 0) as rows:
        kept = [model(window, text) for window in windows]
    assert rows == ([] if freeze else [2])
    for one, other in zip(kept, afresh, strict=True):
        torch.testing.assert_close(one, other.detach(), atol=1e-5, rtol=1e-4)


def by_training(model: BiPVL) -> None:
    """Update the weights without a call of `train`, as Lightning does after a validation."""
    for part in model.modules():
        part.training = True
    optimiser = torch.optim.SGD(model.text.parameters(), lr=1.0)
    model(images(CLASSES, 1), text_of(batch(CLASSES))).pow(2).mean().backward()
    optimiser.step()
    for part in model.modules():
        part.training = False


def by_loading(model: BiPVL) -> None:
    state = {
        k: v + 0.1 if isinstance(v, Tensor) and k.startswith("text.") else v for k, v in model.state_dict().items()
    }
    model.load_state_dict(state)


@pytest.mark.parametrize("change", [by_training, by_loading])
def test_kept_text_does_not_outlive_its_weights(change: Callable[[BiPVL], None]) -> None:
    model, image, text = module(CLASSES).eval(), images(CLASSES, 1), text_of(batch(CLASSES))
    with torch.no_grad():
        before = model(image, text)
    change(model)
    with torch.no_grad():
        after = model(image, text)
        model.train().eval()
        afresh = model(image, text)
    assert not torch.allclose(before, after, atol=1e-5)
    assert torch.equal(after, afresh)


def test_the_release_runs_no_last_fusion_at_inference() -> None:
    model, text = module(**RELEASED).eval(), text_of(batch())
    whole = model(images(REPORTS, 4), text).detach()
    calls: list[int] = []
    model.fusions[-1].register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        torch.testing.assert_close(model(images(REPORTS, 4), text), whole, atol=1e-5, rtol=1e-4)
    assert not calls
