"""Every registered model, and one of a third party, in each dimension: one short training, many checks.

In 2D the phantom has one class and reports, in 3D several classes with prompts. No model has a line of its own here.
"""

from __future__ import annotations

import copy
import json

import pytest
import torch
from torch import Tensor

from tests.contracts.conftest import Fitted
from tests.helpers.model_cases import TEST_CASES
from tests.helpers.weights import same_weights, weights
from zoo.cards import ModelCard
from zoo.data_facts import DataFacts
from zoo.encoders.text import TextEncoder
from zoo.encoders.text_backbone import TextTokens
from zoo.layers.tokens import crop_to
from zoo.metrics.case_scores import read_rows
from zoo.models.base import SegModule, text_of
from zoo.text.model_inputs import blank
from zoo.types import Batch, Text


def loss_of(module: SegModule, batch: Batch) -> Tensor:
    """Return the total loss of a training step, which must be finite."""
    module.train()
    module.zero_grad()
    output = module.forward_features(batch["image"], module.readable(text_of(batch)))
    total = module.total_loss(module.compute_losses(batch, output))
    assert torch.isfinite(total)
    return total


def without_gradient(module: SegModule) -> list[str]:
    """Return the trained parameters that the last backward pass did not reach."""
    return [name for name, weight in module.named_parameters() if weight.requires_grad and weight.grad is None]


@torch.no_grad()
def logits_of(module: SegModule, image: Tensor, text: Text) -> Tensor:
    """Return the logits in evaluation mode."""
    module.eval()
    logits: Tensor = module(image, text)
    return logits


def test_fit_leaves_a_complete_run(fitted: Fitted) -> None:
    manifest = json.loads((fitted.out / "manifest.json").read_text())
    assert manifest["finished"]
    assert (manifest["model"], manifest["size"]) == (fitted.case.card.name, "tiny")
    assert manifest["params"] >= manifest["params_trainable"] > 0
    assert manifest["parameters"] == fitted.trained.count_parameters()
    assert {"split_hash", "prompt_hash", "metric_version", "config_hash", "text_track"} <= set(manifest)
    assert (fitted.out / "config.yaml").is_file()
    logged = (fitted.out / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train/dice", "train/cross_entropy", "train/loss", "val/dice", "val/loss"} <= set(logged)
    assert [name for name in logged if name.startswith("lr-")], "and the rate of the optimiser"
    assert [name for name in logged if name.startswith("val/dice/")], "and the Dice of each class"


def test_checkpoint_holds_all_that_the_next_step_depends_on(fitted: Fitted) -> None:
    """A model that keeps state outside of its checkpoint would continue differently after an interruption."""
    loaded = type(fitted.trained).load_from_checkpoint(fitted.out / "checkpoints" / "last.ckpt", weights_only=True)
    gradients = []
    for module in (fitted.trained, loaded):
        torch.manual_seed(0)
        loss_of(module, fitted.training).backward()
        gradients.append({name: weight.grad for name, weight in module.named_parameters() if weight.requires_grad})
    assert same_weights(*gradients)
    assert same_weights(fitted.trained.state_dict(), loaded.state_dict())


def test_testing_leaves_the_model_alone(fitted: Fitted) -> None:
    assert same_weights(fitted.tested_state, weights(fitted.out, "best"))


def test_scores_have_each_case_and_class_once(fitted: Fitted) -> None:
    rows = read_rows(fitted.out / "test" / "cases.csv")
    keys = [(row.case_id, row.label) for row in rows]
    assert len(set(keys)) == len(keys)
    cases = {case for case, _ in keys}
    assert len(cases) == TEST_CASES[fitted.case.dims]
    assert {row.status for row in rows} <= {"ok", "absent", "missed", "spurious"}
    about = json.loads((fitted.out / "test" / "about.json").read_text())
    assert about["subjects"].keys() == about["spacing"].keys() == cases


def test_prediction_lies_on_the_grid_of_the_image(fitted: Fitted) -> None:
    batch = fitted.evaluation
    predictions = fitted.module.eval().predict_step(batch, 0)
    assert [prediction.case_id for prediction in predictions] == batch["case_id"]
    for prediction, native in zip(predictions, batch["native"], strict=True):
        assert native.label is not None
        assert prediction.mask.shape == native.label.shape


def test_forward_gives_logits_without_a_label(fitted: Fitted) -> None:
    module, batch = fitted.module, fitted.evaluation
    text = text_of(batch)
    first = text if text.reports is None else text._replace(reports=text.reports[:1])
    logits = logits_of(module, batch["image"], text)
    assert logits.shape == (len(batch["image"]), module.facts.labels.channels, *batch["image"].shape[2:])
    torch.testing.assert_close(logits_of(module, batch["image"][:1], first), logits[:1], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_text_is_encoded_once_for_all_windows_of_an_image(fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    module, image = fitted.module.eval(), fitted.evaluation["image"]
    encoders = [part for part in module.modules() if isinstance(part, TextEncoder)]
    for encoder in encoders:
        encoder.train().eval()
        encoder._caches.clear()
    encoded: list[tuple[int, int | None, str]] = []
    encode = TextEncoder._encode

    def watch(self: TextEncoder, strings: list[str], stop: int | None, device: torch.device) -> TextTokens:
        encoded.extend((id(self), stop, string) for string in strings)
        return encode(self, strings, stop, device)

    monkeypatch.setattr(TextEncoder, "_encode", watch)
    windows: list[int] = []
    hook = module.register_forward_hook(lambda _, inputs, __: windows.append(len(inputs[0])))
    repeats = 2 * module.facts.patch[0] // image.shape[2] + 1
    module.predict_logits({**fitted.evaluation, "image": torch.cat([image] * repeats, 2)})
    hook.remove()
    assert len(windows) >= 2 * len(image), "several windows per image"
    assert len(encoded) == len(set(encoded)), "no string twice"
    assert bool(encoded) or not encoders


@pytest.mark.parametrize("size", [1, 3])
def test_image_smaller_than_a_stride_is_trained_on_and_segmented(fitted: Fitted, size: int) -> None:
    """A user's data may have a volume of one slice, and evaluation does not pad it to the patch."""
    training, batch = fitted.training, fitted.evaluation
    cut = [size] * (batch["image"].ndim - 2)
    logits = logits_of(fitted.module, crop_to(batch["image"], cut), text_of(batch))
    assert list(logits.shape[2:]) == cut
    assert torch.isfinite(logits).all()
    small: Batch = {**training, "image": crop_to(training["image"], cut), "label": crop_to(training["label"], cut)}
    loss_of(fitted.module, small)


def test_every_parameter_has_a_part_in_the_loss(fitted: Fitted) -> None:
    """Training on several devices stops at an unused parameter, also in a batch without foreground."""
    batch = fitted.training
    for label in (batch["label"], torch.zeros_like(batch["label"])):
        loss_of(fitted.module, {**batch, "label": label}).backward()
        assert not without_gradient(fitted.module)


def test_every_parameter_is_trained_or_named_by_the_card(fitted: Fitted) -> None:
    """After some steps, so that what starts at zero has left it. Other weights tell a unit that is dead by chance."""
    named = tuple(ModelCard.of(fitted.case.card).untrained)
    module = copy.deepcopy(fitted.trained)
    still = {name for name, weight in module.named_parameters() if weight.requires_grad}
    for draw in range(4):
        loss_of(module, fitted.training).backward()
        still = {name for name in still if not module.get_parameter(name).grad.any()}  # type: ignore[union-attr]
        if all(name.startswith(named) for name in still):
            break
        torch.manual_seed(draw)
        with torch.no_grad():
            for weight in module.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
    assert [name for name in sorted(still) if not name.startswith(named)] == []
    assert [one for one in named if not any(name.startswith(one) for name in still)] == []


def test_text_reaches_the_logits_of_text_models_only(fitted: Fitted) -> None:
    text = text_of(fitted.evaluation)
    other = Text(
        tuple(prompt._replace(sentence="An unrelated remark.", concepts=("Nothing.",)) for prompt in text.classes),
        None if text.reports is None else tuple("Nothing to be seen anywhere." for _ in text.reports),
    )
    image = fitted.evaluation["image"]
    change = (logits_of(fitted.module, image, text) - logits_of(fitted.module, image, other)).abs().max()
    assert bool(change > 1e-6) == (fitted.case.text != "none")


def test_model_without_text_trains_and_reads_nothing(fitted: Fitted) -> None:
    """Each text encoder has one learned vector, and the vector is trained."""
    module, batch = copy.deepcopy(fitted.module), fitted.evaluation
    module.use_text = False
    module.finish_init()
    vectors = [encoder.vector for encoder in module.modules() if isinstance(encoder, TextEncoder)]
    assert bool(vectors) == (fitted.case.text != "none")
    loss_of(module, fitted.training).backward()
    assert not without_gradient(module)
    for vector in vectors:
        assert vector is not None
        assert vector.grad is not None
        assert bool(vector.grad.abs().max() > 0)
    text = text_of(batch)
    assert logits_of(module, batch["image"], text).equal(logits_of(module, batch["image"], blank(text)))


def test_logits_of_a_sample_depend_on_its_own_report_alone(fitted: Fitted) -> None:
    text, image = text_of(fitted.evaluation), fitted.evaluation["image"]
    if text.reports is None or len(text.reports) < 2:
        pytest.skip("the data set has class prompts")
    changed = text._replace(reports=(text.reports[0], *("Nothing." for _ in text.reports[1:])))
    one, other = (logits_of(fitted.module, image, some)[0] for some in (text, changed))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_facts_survive_the_checkpoint(fitted: Fitted) -> None:
    facts = fitted.module.facts
    assert DataFacts.from_dict(facts.to_dict()) == facts
    assert fitted.trained.facts == facts
