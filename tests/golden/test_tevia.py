"""TeViA's numbers: the size of its release, the content of the prototype, and the start of the training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist
from lightning.pytorch import Trainer
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from datamodules.sets.phantom_chest import PhantomChest
from tests.helpers.ranks import RankPool
from tests.zoo.models.test_tevia import FACTS, batch, module
from zoo.data_facts import DataFacts
from zoo.encoders.vision import build_vision_encoder
from zoo.layers.guided_decoder import RELEASED_LENGTHS, GuidedDecoder
from zoo.models.base import text_of
from zoo.models.tevia.model import TeViA
from zoo.models.tevia.prototype import Prototypes
from zoo.models.tevia.released import TeViAReleased
from zoo.types import Text

WIDTHS = (768, 384, 192)


def count(*modules: nn.Module) -> int:
    """Return the number of parameters; the meta device allocates none."""
    return sum(p.numel() for m in modules for p in m.parameters())


def millions(number: int, digits: int = 2) -> float:
    return round(number / 1e6, digits)


def test_published_size_is_that_of_the_release() -> None:
    """Our parameters and the unused ones of the release are together its 43.98, 109.5 and 153.5 million."""
    with torch.device("meta"):
        vision = build_vision_encoder("convnext", 2, 1, 96, 3)
        decoder = GuidedDecoder(2, vision, 768, head_width=24, gain=0.01, norm="batch", tokens=24)
        bert = BertModel(BertConfig())
        head = nn.Conv2d(24, 1, kernel_size=1)
        unused = [
            nn.Linear(768, 768),  # image project head
            *(nn.Linear(768, 768), nn.LayerNorm(768), nn.Linear(768, 768)),  # text project head
            *(nn.Conv2d(24, width, kernel_size=1) for width in (3, 6, 3)),
            nn.LayerNorm(768),  # the last norm of ConvNeXt
        ]
    prompts = [kept * width for kept, width in zip(RELEASED_LENGTHS, WIDTHS, strict=True)]
    stages = [count(stage) + prompt for stage, prompt in zip(decoder.stages, prompts, strict=True)]
    assert [round(s / 1e6, d) for s, d in zip(stages, (1, 2, 2), strict=True)] == [10.5, 2.78, 0.77]
    assert millions(count(decoder.upsample)) == 0.33
    assert millions(count(vision, unused[0]), 1) == 28.4
    ours = count(vision, decoder.upsample, head) + sum(stages)
    assert ours == 42_201_313
    assert millions(ours + count(*unused)) == 43.98
    assert millions(count(bert), 1) == 109.5  # its pooler included, which is not loaded here
    assert millions(ours + count(*unused) + count(bert), 1) == 153.5


def test_published_layers_are_those_that_were_counted() -> None:
    """The module with another text encoder has the counted parameters for the image."""
    model = TeViA(FACTS.to_dict(), encoder="tiny", released=TeViAReleased(tokens=24))
    assert [tuple(p.shape) for p in model.prompts] == list(zip(RELEASED_LENGTHS, WIDTHS, strict=True))
    assert [tuple(p.shape) for p in TeViA(FACTS.to_dict(), encoder="tiny").prompts] == [(1, w) for w in WIDTHS]
    assert model.foreground.layouts == [(3, 16), (6, 8), (3, 8)]
    assert count(model.vision) == 27_818_592
    assert millions(count(model.decoder.upsample)) == 0.33
    assert count(model.head) == 25


def test_training_fills_the_prototype_and_evaluation_leaves_it_alone() -> None:
    torch.manual_seed(0)
    small: dict[str, Any] = {"pixels": 32, "counts": [4, 1, 2], "patch": [32, 32], "batch_size": 4}
    data = PhantomChest(epoch_samples=8, **small)
    facts = DataFacts("phantom_chest", 2, 1, (32, 32), FACTS.labels, FACTS.prompts, "report")
    model = module(facts, prototype_start=0.5)
    options: dict[str, Any] = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 1}
    trainer = Trainer(max_epochs=2, **options, **quiet)
    trainer.fit(model, data)
    assert model.prototypes is not None
    before = {name: value.clone() for name, value in model.prototypes.named_buffers()}
    assert before["filled"].tolist() == [[4, 4]]  # four steps, each with foreground; nothing from validation
    assert before["started"] == 1
    assert before["mean"].abs().sum() > 0
    trainer.validate(model, data, verbose=False)
    trainer.test(model, data, verbose=False)
    for name, value in model.prototypes.named_buffers():
        assert value.equal(before[name])
    leaky = module(facts, released=TeViAReleased(prototype_updates="always"))
    Trainer(max_epochs=1, **options, **quiet).fit(leaky, data)
    assert leaky.prototypes is not None
    assert leaky.prototypes.filled.min() > 2  # two steps of training, and the validation


def test_prototype_starts_after_its_share_of_the_steps() -> None:
    bank = Prototypes(1, [4], momentum=0.9, persistent=True)
    used = [torch.ones(1, 1, dtype=torch.bool)]
    first, second, third = (torch.tensor([[[v, 0.0, 1.0, 2.0]]]) for v in (4.0, 6.0, 15.0))
    assert bank.factors()[0].equal(torch.zeros(4))
    bank.update([first], used, gathering=True, started=False)
    bank.update([second], used, gathering=True, started=False)
    torch.testing.assert_close(bank.mean[0], torch.tensor([5.0, 0.0, 1.0, 2.0]))  # the mean of both
    assert bank.factors()[0].equal(torch.zeros(4))
    bank.update([third], used, gathering=False, started=True)
    torch.testing.assert_close(bank.mean[0], torch.tensor([6.0, 0.0, 1.0, 2.0]))  # 0.9 * 5 + 0.1 * 15
    torch.testing.assert_close(bank.factors()[0], torch.tensor([1.0, 0.0, 1 / 6, 2 / 6]), atol=1e-6, rtol=0)


def test_class_that_was_never_seen_does_not_change_the_prototype() -> None:
    bank = Prototypes(3, [4], momentum=0.9, persistent=True)
    visual, used = torch.randn(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool)
    bank.update([visual], [used], gathering=False, started=True)
    assert not bank.mean.any()
    assert not bank.filled.any()
    used[0, 1] = True
    bank.update([visual], [used], gathering=False, started=True)
    torch.testing.assert_close(bank.mean[1], visual[0, 1])
    assert bank.filled[:, 0].tolist() == [0, 1, 0]
    p = visual[0, 1]
    torch.testing.assert_close(bank.factors()[0], (p - p.min()) / (p.max() - p.min() + 1e-6))


def test_empty_masks_leave_the_prototype_alone() -> None:
    model = module()
    one = batch("Left zone.", "Right zone.", value=0)
    model.compute_losses(one, model.forward_features(one["image"], text_of(one)))
    assert model.prototypes is not None
    assert not model.prototypes.mean.any()
    released = module(released=TeViAReleased(skip_empty=False))
    released.compute_losses(one, released.forward_features(one["image"], text_of(one)))
    assert released.prototypes is not None
    assert released.prototypes.filled.tolist() == [[1, 1]]  # a zero vector was taken in


@pytest.mark.parametrize("persistent", [True, False])
def test_checkpoint_keeps_the_prototype_unless_the_option_is_off(persistent: bool) -> None:
    model, other = (module(released=TeViAReleased(prototype_in_state=persistent)) for _ in range(2))
    one = batch("Left zone.", "Right zone.")
    model.compute_losses(one, model.forward_features(one["image"], text_of(one)))
    other.load_state_dict(model.state_dict())
    assert model.prototypes is not None
    assert other.prototypes is not None
    assert model.prototypes.mean.any()
    assert other.prototypes.mean.equal(model.prototypes.mean) == persistent
    assert any(name.startswith("prototypes.") for name in model.state_dict()) == persistent


def test_logits_at_the_start_are_close_to_those_of_the_image_alone() -> None:
    """P_s starts at zero, and the gain of the cross-attention at 0.01."""
    model = module().eval()
    one = batch("Left zone.", "Right zone.")
    assert not any(p.any() for p in model.prompts)
    assert [round(float(stage.gain.detach()), 4) for stage in model.decoder.stages] == [0.01, 0.01]  # type: ignore[operator]
    with torch.no_grad():
        read, other = (model(one["image"], Text(one["classes"], r)) for r in (("Left.",) * 2, ("Right lung.",) * 2))
        for stage in model.decoder.stages:
            stage.gain.zero_()  # type: ignore[operator]
        alone = model(one["image"], text_of(one))
    assert 0 < (read - other).abs().max() < 0.05 * alone.std()
    assert (read - alone).abs().max() < 0.05 * alone.std()


def vectors() -> tuple[Tensor, Tensor]:
    """Return foreground vectors of five samples with two classes, and which of them exist."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 2, 8, generator=generator), torch.rand(5, 2, generator=generator) > 0.4


def filled(rows: slice) -> Prototypes:
    """Return prototypes that were updated twice with some of the samples."""
    bank = Prototypes(2, [5, 3], momentum=0.9, persistent=True)
    visual, used = (x[rows] for x in vectors())
    for gathering in (True, False):
        bank.update(list(visual.split([5, 3], dim=2)), [used, used], gathering, started=True)
        visual = visual + 1
    return bank


def on_rank(cut: int) -> dict[str, Tensor]:
    """Return the prototypes of this rank. Rank 0 has the first `cut` samples and rank 1 the others."""
    if not dist.is_initialized():
        dist.init_process_group("gloo")
    bank = filled(slice(0, cut) if dist.get_rank() == 0 else slice(cut, None))
    return dict(bank.named_buffers())


@pytest.mark.parametrize("cut", [0, 2, 5])
def test_two_ranks_have_the_prototype_of_one_process(ranks: RankPool, cut: int) -> None:
    alone = dict(filled(slice(None)).named_buffers())
    for rank in ranks.run(on_rank, cut):
        for name, value in rank.items():
            torch.testing.assert_close(value, alone[name])
