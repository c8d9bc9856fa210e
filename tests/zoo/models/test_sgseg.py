"""SGSeg: the reports that it writes, what evaluation reads, and data whose captions name no zone."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from zoo import make_facts
from zoo.errors import ConfigError
from zoo.models import SGSeg
from zoo.text.captions import KINDS, read_caption, write_caption
from zoo.text.lung_zones import zone_bits
from zoo.types import Batch, Text

OPTIONS: dict[str, Any] = {"encoder": "tiny", "vision": "conv", "width": 8, "stages": 2, "head_width": 8}
OPTIONS |= {"norm": "instance", "freeze_text": True}


def made(**options: Any) -> SGSeg:
    """Return a small model, equal at each call."""
    torch.manual_seed(0)
    return SGSeg(make_facts(["lesion"], patch=[32, 32]), **OPTIONS, gain=1.0, **options).eval()


def batch_of(model: SGSeg, *reports: str) -> Batch:
    """Return an image per report."""
    image = torch.randn(len(reports), 1, 32, 32, generator=torch.Generator().manual_seed(0))
    return {
        "image": image,
        "label": (image > 0).to(torch.uint8),
        "case_id": [str(number) for number in range(len(reports))],
        "spacing": torch.ones(len(reports), 2),
        "classes": model.facts.prompts,
        "reports": list(reports),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_each_set_of_zones_is_written_so_that_it_is_read_again(kind: Any) -> None:
    for bits in product((0, 1), repeat=6):
        caption = write_caption(bits, kind)
        assert zone_bits(caption) == bits
        if any(bits):
            found = read_caption(caption)
            assert found is not None
            assert found.kind == kind


def test_a_caption_has_the_words_of_the_release() -> None:
    released = "bilateral pulmonary infection, three infected areas, upper left lung and middle lower right lung."
    assert write_caption((1, 0, 0, 0, 1, 1)).lower() == released
    released = "unilateral pulmonary infection, one infected area, middle right lung."
    assert write_caption((0, 0, 0, 0, 1, 0)).lower() == released


def test_evaluation_reads_written_reports_and_training_reads_those_of_the_data() -> None:
    first, other = "One infected area, upper left lung.", "One infected area, lower right lung."
    for written in (True, False):
        model = made(written=written)
        logits = [model.predict_logits(batch_of(model, report, report)) for report in (first, other)]
        assert logits[0].equal(logits[1]) == written
    model = made()
    batch = batch_of(model, first, first)
    reports = tuple(model.write_reports(batch["image"]))
    with torch.no_grad():
        assert model.predict_logits(batch).equal(model(batch["image"], Text(batch["classes"], reports)))
        assert not model(batch["image"], Text(batch["classes"], (first, first))).equal(
            model(batch["image"], Text(batch["classes"], (other, other)))
        )


def test_the_zones_are_trained_on_the_captions() -> None:
    model = made()
    batch = batch_of(model, "Upper left lung.", "Lower right lung.")
    output = model.forward_features(batch["image"], Text(batch["classes"], tuple(batch["reports"])))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        output.extra["zones"], torch.tensor([[1.0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1.0]])
    )
    torch.testing.assert_close(model.compute_losses(batch, output)["zones"], expected)


def fit_on(model: SGSeg, *captions: str | None) -> None:
    """Set a model up for a training on cases with these captions."""
    cases = [SimpleNamespace(report=caption) for caption in captions]
    model._trainer = cast(Any, SimpleNamespace(datamodule=SimpleNamespace(cases_of=lambda part: cases)))
    model.setup("fit")


def test_written_reports_have_the_wording_of_the_training() -> None:
    model = made()
    fit_on(model, "Target lesions in the left upper zone.", "Target lesions in the right lower zone.", "Left lung.")
    assert all("target lesions" in report.lower() for report in model.write_reports(torch.zeros(1, 1, 32, 32)))
    again = made()
    again.load_state_dict(model.state_dict())
    assert int(again.kind) == KINDS.index("lesions")


@pytest.mark.parametrize("captions", [("One medium polyp.", ""), (None, None)])
def test_captions_without_zones_are_refused_before_the_training(captions: tuple[str | None, ...]) -> None:
    with pytest.raises(ConfigError, match=r"no caption of the training cases names a lung zone.*Use --model lan_guide"):
        fit_on(made(), *captions)
