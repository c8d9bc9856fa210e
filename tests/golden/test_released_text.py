"""The released length of the text: a report has 24 tokens before the encoder, and the image reads BERT at padding."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import BertModel, BertTokenizer

from tests.helpers.text_encoder_folders import write_bert
from tests.zoo.models.test_tevia import FACTS, PROMPT, SMALL
from zoo.encoders.text import build_text_encoder
from zoo.layers.guided_decoder import GuideStage
from zoo.models.guided import GuidedModule, GuidedReleased
from zoo.models.lan_guide import LanGuide
from zoo.models.tevia.model import TeViA
from zoo.models.tevia.released import TeViAReleased
from zoo.models.tmca.model import TMCA
from zoo.types import Text

SHORT, LONG = (
    "The left lesion.",
    "Right kidney, spleen and more of the liver of the patient, under the left lesion. " * 3,
)
MODELS: list[tuple[type[GuidedModule], type[GuidedReleased]]] = [
    (LanGuide, GuidedReleased),
    (TeViA, TeViAReleased),
    (TMCA, GuidedReleased),
]


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "trained"])
def test_tokens_of_a_fixed_length_are_those_of_bert_with_padding(tmp_path: Path, frozen: bool) -> None:
    folder = write_bert(tmp_path / "bert")
    strings = ["left kidney", "the spleen lies under the left kidney of the patient"]
    tokenizer, bert = BertTokenizer.from_pretrained(folder), BertModel.from_pretrained(folder).eval()
    read = tokenizer(strings, max_length=9, padding="max_length", truncation=True, return_tensors="pt")
    with torch.no_grad():
        expected = bert(**read).last_hidden_state
    encoder = build_text_encoder(str(folder), frozen, length=9)
    assert encoder(strings).mask.equal(read["attention_mask"].bool())
    for _ in range(2):  # the second time from the cache
        with torch.no_grad():
            tokens, mask, pooled = encoder.eval()(strings)
        torch.testing.assert_close(tokens, expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(pooled[0], expected[0, :4].mean(0), atol=1e-5, rtol=1e-4)
        assert mask.sum(1).tolist() == [4, 9]
    torch.testing.assert_close(encoder(strings).tokens.detach(), expected, atol=1e-5, rtol=1e-4)  # with gradient


def logits(model: GuidedModule, *reports: str) -> Tensor:
    image = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)).expand(len(reports), -1, -1, -1)
    with torch.no_grad():
        out: Tensor = model(image, Text((PROMPT,), reports))
    return out[:1]


@pytest.mark.parametrize(("kind", "released"), MODELS)
@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "trained"])
def test_neither_a_longer_report_nor_evaluation_changes_the_logits_of_a_sample(
    kind: type[GuidedModule], released: type[GuidedReleased], frozen: bool
) -> None:
    """Padded places held BERT's vectors in training and zeros in evaluation, as many as the longest report has."""
    torch.manual_seed(0)
    options: dict[str, Any] = {**SMALL, "norm": "instance", "gain": 1.4, "released": released(tokens=24)}
    model = kind(FACTS.to_dict(), **options, freeze_text=frozen)
    alone = logits(model.train(), SHORT)
    for mode in (True, False):
        for reports in ((SHORT,), (SHORT, LONG)):
            torch.testing.assert_close(logits(model.train(mode), *reports), alone, atol=1e-5, rtol=1e-5)


def test_the_image_reads_the_encoder_at_padding_and_no_word_after_the_24th() -> None:
    torch.manual_seed(0)
    model = LanGuide(FACTS.to_dict(), **SMALL, norm="instance", released=GuidedReleased(tokens=24)).eval()
    before, cut = logits(model, SHORT), logits(model, LONG)
    torch.testing.assert_close(logits(model, LONG + "Spleen."), cut, atol=1e-6, rtol=1e-6)
    with torch.no_grad():  # the embedding of padding, which only padded places read
        embeddings: Any = model.text.backbone.embeddings
        weight = embeddings.word_embeddings.weight
        weight[model.text.backbone.pad_id] = 5 * weight[7]
    model.train().eval()
    assert not torch.allclose(logits(model, SHORT), before, atol=1e-4)
    torch.testing.assert_close(logits(model, LONG), cut, atol=1e-6, rtol=1e-6)


def test_the_released_place_of_an_image_token_is_its_number() -> None:
    """A token in row 1, column 0 of a map of 4 columns has the code of the number 4: sin and cos, interleaved."""
    by_hand = torch.tensor(
        [[math.sin(4 / 10_000 ** (2 * i / 8)), math.cos(4 / 10_000 ** (2 * i / 8))] for i in range(4)]
    )
    stage = GuideStage(2, 8, 4, 6, 2, 1.0, "instance", None, 0, flat_places=True).eval()
    caught: list[Tensor] = []
    stage.self_attention.register_forward_pre_hook(lambda _, args: caught.append(args[0] - args[2]))  # query - value
    stage(torch.randn(1, 8, 4, 4), torch.randn(1, 4, 8, 8), torch.randn(1, 2, 8), torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(caught[0][0, 4], by_hand.flatten(), atol=1e-5, rtol=1e-5)
    model = LanGuide(FACTS.to_dict(), **SMALL, norm="instance", released=GuidedReleased(flat_places=True))
    assert all(one.flat_places for one in model.decoder.stages)
