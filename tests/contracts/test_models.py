"""Every registered model against every verb, on the 2D report phantom and the 3D class phantom.

A model that stands in the registry, ours or a plug-in's, is tested here without a line of its own.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import pytest
import torch

from tests.helpers.ranks import RankPool
from zoo.cli.main import main
from zoo.layers.tokens import crop_to
from zoo.metrics.case_scores import read_rows
from zoo.models.base import SegModule, text_of
from zoo.registry import MODELS
from zoo.text.model_inputs import blank
from zoo.types import Batch, Text

# An image of the chest phantom is two cases; the one val and three test volumes do not divide by two ranks.
PHANTOMS = {
    "phantom_chest": ["--data.counts", "[6,2,5]", "--data.pixels", "32", "--data.patch", "[32,32]"],
    "phantom_abdomen": ["--data.counts", "[4,1,3]", "--data.shape", "[32,32,16]", "--data.patch", "[16,16,16]"],
}
SHORT = ["--data.batch_size", "4", "--data.epoch_samples", "8", "--trainer.max_epochs", "2"]

Pair = tuple[str, str]


def pairs() -> list[Pair]:
    """Every usable model with every phantom of a dimension that it has."""
    dims = {"phantom_chest": 2, "phantom_abdomen": 3}
    cards = [card for card in MODELS if not card.broken]
    return [(card.name, data) for card in cards for data in PHANTOMS if dims[data] in card.about["spatial_dims"]]


def words(verb: str, pair: Pair, out: Path, *more: str) -> list[str]:
    """A small run of a pair as a user types it."""
    model, data = pair
    named = ["--model", model, "--data", data, "--size", "tiny", "--trainer", "cpu", "--out", str(out)]
    return [verb, *named, *PHANTOMS[data], *SHORT, *more]


def run(verb: str, pair: Pair, out: Path, *more: str) -> None:
    """The command, which must succeed."""
    assert main(words(verb, pair, out, *more)) == 0


def weights(out: Path) -> dict[str, Any]:
    """The last checkpoint's state dict; a checkpoint that holds code does not load."""
    state: dict[str, Any] = torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return state


def same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Bit for bit."""
    return one.keys() == other.keys() and all(
        a.equal(other[key]) if isinstance(a, torch.Tensor) else a == other[key] for key, a in one.items()
    )


@pytest.fixture(scope="module", params=pairs(), ids="-".join)
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Path]:
    """A pair and the folder of its finished run."""
    pair: Pair = request.param
    out = tmp_path_factory.mktemp("-".join(pair)) / "run"
    run("fit", pair, out)
    return pair, out


@pytest.fixture(scope="module")
def module_and_batches(fitted: tuple[Pair, Path]) -> tuple[SegModule, Batch, Batch]:
    """The trained module, a training batch and an evaluation batch."""
    from zoo.config import compose
    from zoo.engine.arguments import parse
    from zoo.engine.lightning_cli import ZooCLI

    pair, out = fitted
    request = parse("fit", words("fit", pair, out)[1:])
    composed = compose(request.model, request.data, size=request.size, preset=request.preset, files=(), base=None)
    cli = ZooCLI(composed.config, list(request.flags))
    cli.build(callbacks=[], logger=False)
    module = type(cli.model).load_from_checkpoint(out / "checkpoints" / "last.ckpt", weights_only=True)
    assert isinstance(module, SegModule)
    module.trainer = cli.trainer
    cli.datamodule.setup("fit")
    cli.datamodule.setup("test")
    return module, next(iter(cli.datamodule.train_dataloader())), next(iter(cli.datamodule.test_dataloader()))


def test_fit_leaves_a_complete_run(fitted: tuple[Pair, Path]) -> None:
    pair, out = fitted
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["finished"]
    assert (manifest["model"], manifest["data"], manifest["size"]) == (*pair, "tiny")
    assert manifest["params"] >= manifest["params_trainable"] > 0
    assert {"split_hash", "prompt_hash", "metric_version", "config_hash", "text_track"} <= set(manifest)
    assert (out / "config.yaml").is_file()
    logged = (out / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train/dice", "train/cross_entropy", "train/loss", "val/dice"} <= set(logged)


def test_interrupted_run_ends_at_the_same_weights(
    fitted: tuple[Pair, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, out = fitted

    def die(self: SegModule) -> None:
        if self.current_epoch == 1:
            raise OSError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(SegModule, "on_train_epoch_start", die)
        with pytest.raises(OSError, match="the power went"):
            main(words("fit", pair, tmp_path / "run"))
    run("fit", pair, tmp_path / "run")
    assert same_weights(weights(out), weights(tmp_path / "run"))


def test_validate_and_test_leave_the_model_alone(fitted: tuple[Pair, Path]) -> None:
    pair, out = fitted
    before = weights(out)
    run("validate", pair, out)
    run("test", pair, out)
    assert same_weights(before, weights(out))


def test_scores_name_each_case_and_class_once(fitted: tuple[Pair, Path]) -> None:
    pair, out = fitted
    for text in ("true", "blank"):
        run("test", pair, out, "--data.text", text)
    rows = read_rows(out / "test" / "cases.csv")
    keys = [(row.case_id, row.label) for row in rows]
    assert len(set(keys)) == len(keys)
    cases = {case for case, _ in keys}
    assert len(cases) == (10 if pair[1] == "phantom_chest" else 3)
    assert {row.status for row in rows} <= {"ok", "absent", "missed", "spurious"}
    about = json.loads((out / "test" / "about.json").read_text())
    assert about["subjects"].keys() == about["spacing"].keys() == cases
    assert (out / "test-blank" / "cases.csv").is_file()


def test_predictions_lie_on_the_input_grid(fitted: tuple[Pair, Path]) -> None:
    pair, out = fitted
    run("predict", pair, out)
    files = sorted(p for p in (out / "predictions").iterdir())
    if pair[1] == "phantom_chest":
        assert [f.suffix for f in files] == [".png"] * 10
    else:
        assert [f.name.endswith(".nii.gz") for f in files] == [True] * 3
        assert nibabel.load(files[0]).shape == (32, 32, 16)


def test_two_ranks_train_and_score_as_one(fitted: tuple[Pair, Path], tmp_path: Path, ranks: RankPool) -> None:
    pair, out = fitted
    ddp = ["--trainer.devices", "2", "--trainer", "ddp", "--trainer.accelerator", "cpu"]
    assert ranks.run(main, words("fit", pair, tmp_path / "run", *ddp)) == [0, 0]
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["finished"]
    alone, together = tmp_path / "alone", tmp_path / "together"
    checkpoint = ["--ckpt", str(out / "checkpoints" / "last.ckpt")]
    for folder in (alone, together):
        folder.mkdir()
        for name in ("config.yaml", "manifest.json"):
            (folder / name).write_bytes((out / name).read_bytes())
    assert main(["test", "--out", str(alone), *checkpoint]) == 0
    assert ranks.run(main, ["test", "--out", str(together), *checkpoint, *ddp]) == [0, 0]
    assert read_rows(alone / "test" / "cases.csv") == read_rows(together / "test" / "cases.csv")
    assert (alone / "test" / "about.json").read_bytes() == (together / "test" / "about.json").read_bytes()
    pictures = [
        {file.name: file.read_bytes() for file in (one / "test" / "overlays").iterdir()} for one in (alone, together)
    ]
    assert pictures[0] == pictures[1]
    assert "overlays.json" in pictures[0]


def test_forward_gives_logits_without_a_label(module_and_batches: tuple[SegModule, Batch, Batch]) -> None:
    module, _, batch = module_and_batches
    module.eval()
    with torch.no_grad():
        logits = module(batch["image"], text_of(batch))
        single = module(batch["image"][:1], _first(text_of(batch)))
    assert logits.shape == (len(batch["image"]), module.facts.labels.channels, *batch["image"].shape[2:])
    torch.testing.assert_close(single, logits[:1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 3])
def test_an_image_smaller_than_a_stride_is_trained_on_and_segmented(
    module_and_batches: tuple[SegModule, Batch, Batch], size: int
) -> None:
    """A volume of one voxel or slice may be in anybody's data, and evaluation does not pad to the patch."""
    module, training, batch = module_and_batches
    cut = [size] * (batch["image"].ndim - 2)
    module.eval()
    with torch.no_grad():
        logits = module(crop_to(batch["image"], cut), text_of(batch))
    assert list(logits.shape[2:]) == cut
    assert torch.isfinite(logits).all()
    module.train()
    small: Batch = {**training, "image": crop_to(training["image"], cut), "label": crop_to(training["label"], cut)}
    losses = module.compute_losses(small, module.forward_features(small["image"], text_of(small)))
    assert torch.isfinite(module.total_loss(losses))


def test_every_parameter_has_a_part_in_the_loss(module_and_batches: tuple[SegModule, Batch, Batch]) -> None:
    """Otherwise DDP stops with unused parameters; also where no foreground is in the batch."""
    module, batch, _ = module_and_batches
    module.train()
    for label in (batch["label"], torch.zeros_like(batch["label"])):
        module.zero_grad()
        output = module.forward_features(batch["image"], text_of(batch))
        losses = module.compute_losses({**batch, "label": label}, output)
        total = module.total_loss(losses)
        assert torch.isfinite(total)
        total.backward()
        unused = [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None]
        assert not unused


def test_text_reaches_the_logits_of_text_models_only(module_and_batches: tuple[SegModule, Batch, Batch]) -> None:
    module, _, batch = module_and_batches
    text = text_of(batch)
    other = Text(
        tuple(prompt._replace(sentence="An unrelated remark.", concepts=("Nothing.",)) for prompt in text.classes),
        None if text.reports is None else tuple("Nothing to be seen anywhere." for _ in text.reports),
    )
    module.eval()
    with torch.no_grad():
        change = (module(batch["image"], text) - module(batch["image"], other)).abs().max()
    card = next(card for card in MODELS if card.config["model"]["class_path"].endswith(f".{type(module).__name__}"))
    assert bool(change > 1e-6) == (card.about["text"] != "none")


def test_text_off_trains_and_reads_nothing(
    module_and_batches: tuple[SegModule, Batch, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, training, batch = module_and_batches
    monkeypatch.setattr(module, "use_text", False)
    module.train()
    module.zero_grad()
    output = module.forward_features(training["image"], module.readable(text_of(training)))
    total = module.total_loss(module.compute_losses(training, output))
    assert torch.isfinite(total)
    total.backward()
    assert not [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None]
    module.eval()
    with torch.no_grad():
        assert module(batch["image"], text_of(batch)).equal(module(batch["image"], blank(text_of(batch))))


def test_two_reports_of_a_batch_stay_apart(module_and_batches: tuple[SegModule, Batch, Batch]) -> None:
    """A sample's logits depend on its own report alone."""
    module, _, batch = module_and_batches
    text = text_of(batch)
    if text.reports is None or len(text.reports) < 2:
        pytest.skip("the data set has class prompts")
    changed = text._replace(reports=(text.reports[0], *("Nothing." for _ in text.reports[1:])))
    module.eval()
    with torch.no_grad():
        torch.testing.assert_close(
            module(batch["image"], text)[0], module(batch["image"], changed)[0], atol=1e-4, rtol=1e-4
        )


def test_facts_survive_the_checkpoint(module_and_batches: tuple[SegModule, Batch, Batch]) -> None:
    module, _, _ = module_and_batches
    assert type(module.facts).from_dict(module.facts.to_dict()) == module.facts
    assert replace(module.facts, name="other") != module.facts


def _first(text: Text) -> Text:
    return text if text.reports is None else text._replace(reports=text.reports[:1])
