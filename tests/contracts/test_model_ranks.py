"""Every model on two ranks: a step has the gradients of one process; whole commands have the same rows.

The two processes are started once (`tests.helpers.ranks`). The batch is unequal: the samples of the second rank lack
the second class, so that terms over classes differ between the ranks.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from tests.helpers.model_cases import ModelCase, Network, model_cases, network, runs_whole_commands
from tests.helpers.ranks import RankPool
from zoo.cli.main import main
from zoo.data_facts import DataFacts
from zoo.metrics.case_scores import read_rows
from zoo.models.base import SegModule
from zoo.types import Batch, ClassPrompt, LabelSpace

CASES = [pytest.param(case, id=str(case)) for case in model_cases()]
DDP = ["--trainer.devices", "2", "--trainer", "ddp", "--trainer.accelerator", "cpu"]
SIDE, SAMPLES, STEPS = 16, 4, 2
TOLERANCE = 1e-5

PROMPTS = (
    ClassPrompt("liver", "The liver lies under the right ribs.", ("A large organ.", "Right side.")),
    ClassPrompt("spleen", "The spleen lies under the left ribs.", ("A small organ.", "Left side.")),
)
REPORTS = ("The liver is large.", "Liver, and a small spleen.", "The liver is large.", "No spleen.")


def facts(dims: int) -> DataFacts:
    """Return a data set with two classes: in 2D with reports, in 3D with class prompts."""
    labels = LabelSpace(("liver", "spleen"), ((1,), (2,)))
    return DataFacts("made_up", dims, 1, (SIDE,) * dims, labels, PROMPTS, "report" if dims == 2 else "class")


def batch_of(dims: int, step: int, rows: slice) -> Batch:
    """Return samples of the batch of a step. The last two samples lack the second class."""
    generator = torch.Generator().manual_seed(step)
    image = torch.randn(SAMPLES, 1, *(SIDE,) * dims, generator=generator)
    label = torch.randint(0, 3, image.shape, generator=generator, dtype=torch.uint8)
    label[2:][label[2:] == 2] = 0
    batch: Batch = {
        "image": (image[rows] + label[rows]).double(),
        "label": label[rows],
        "case_id": [f"case{number}" for number in range(SAMPLES)][rows],
        "spacing": torch.ones(SAMPLES, dims)[rows],
        "classes": PROMPTS,
    }
    return {**batch, "reports": list(REPORTS[rows])} if dims == 2 else batch


class Step(nn.Module):
    """The training step as the forward pass of a module, which `DistributedDataParallel` wraps."""

    def __init__(self, module: SegModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: Batch) -> Tensor:
        return self.module.training_step(batch, 0)


def made(small: Network) -> SegModule:
    """Return the model with the same weights in every process, without dropout and batch statistics."""
    torch.manual_seed(0)
    module = small.build(small.smallest)
    module.double().train()  # in single precision, rounding alone may exceed the tolerance
    with torch.no_grad():
        for parameter in module.parameters():
            # A layer that starts at zero makes equal embeddings of equal texts. Rounding would then choose among them.
            parameter.add_(0.02 * torch.randn_like(parameter))
    for part in module.modules():
        if isinstance(part, _BatchNorm | nn.Dropout):  # each rank has its own statistics and its own draws
            part.eval()
    return module


def gradients(small: Network, dims: int) -> list[dict[str, Tensor]]:
    """Return the gradients of each step: those of this rank's part of the batch, averaged over the ranks, or of all.

    A second step follows, because `DistributedDataParallel` reports unused parameters there.
    """
    module, rows = made(small), slice(None)
    step: nn.Module = Step(module)
    if "WORLD_SIZE" in os.environ:
        if not dist.is_initialized():
            dist.init_process_group("gloo")
        step = DistributedDataParallel(step, broadcast_buffers=False)
        share = SAMPLES // dist.get_world_size()
        rows = slice(dist.get_rank() * share, (dist.get_rank() + 1) * share)
    found = []
    for number in range(STEPS):
        module.zero_grad()
        step(batch_of(dims, number, rows)).backward()
        found.append({name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None})
    return found


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_have_the_gradients_of_one_process(case: ModelCase, ranks: RankPool) -> None:
    small = network(case)
    arguments = replace(small, facts=facts(case.dims)), case.dims
    alone = gradients(*arguments)
    for steps in ranks.run(gradients, *arguments):
        for mine, ours in zip(alone, steps, strict=True):
            assert mine.keys() == ours.keys()
            apart = {name: float((ours[name] - gradient).abs().max()) for name, gradient in mine.items()}
            assert max(apart.values()) <= TOLERANCE, {name: gap for name, gap in apart.items() if gap > TOLERANCE}


@pytest.mark.parametrize("turn", ["chosen", pytest.param("others", marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_train_and_score_as_one(case: ModelCase, turn: str, tmp_path: Path, ranks: RankPool) -> None:
    small = network(case)
    chosen = runs_whole_commands(case, small.build(small.smallest))
    if (turn == "chosen") != chosen:
        pytest.skip("runs in `make test-slow`" if turn == "chosen" else "runs in `make test`")
    run = tmp_path / "run"
    assert ranks.run(main, case.small_words("fit", run, *DDP)) == [0, 0]
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["finished"]
    assert math.isfinite(manifest["best_val_dice"])
    alone, together = tmp_path / "alone", tmp_path / "together"
    for folder in (alone, together):
        shutil.copytree(run, folder)
    assert main(["test", "--out", str(alone), "--trainer", "cpu"]) == 0
    assert ranks.run(main, ["test", "--out", str(together), *DDP]) == [0, 0]
    assert read_rows(alone / "test" / "cases.csv") == read_rows(together / "test" / "cases.csv")
    assert (alone / "test" / "about.json").read_bytes() == (together / "test" / "about.json").read_bytes()
    pictures = [
        {file.name: file.read_bytes() for file in (one / "test" / "overlays").iterdir()} for one in (alone, together)
    ]
    assert pictures[0] == pictures[1]
    assert "overlays.json" in pictures[0]
