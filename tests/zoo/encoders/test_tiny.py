"""The embedded encoder `tiny`: its words, its weights, and what it tells apart."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import BertWordPieceTokenizer

from zoo.encoders import tiny
from zoo.encoders.text import build_text_encoder
from zoo.registry import ENCODERS


def test_tiny_starts_from_the_runs_seed_and_frozen_from_its_own() -> None:
    def first(seed: int, freeze: bool) -> torch.Tensor:
        torch.manual_seed(seed)
        return next(build_text_encoder("tiny", freeze)._backbone.parameters()).detach()

    assert torch.equal(first(1, False), first(1, False))
    assert not torch.equal(first(1, False), first(2, False))
    assert torch.equal(first(1, True), first(2, True))
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    build_text_encoder("tiny", freeze=True)
    assert torch.equal(before, torch.random.get_rng_state())


def test_tiny_is_as_its_card_says() -> None:
    card = ENCODERS.get("tiny")
    encoder = build_text_encoder("tiny")
    assert (encoder.width, encoder.depth) == (card.about["width"], card.about["layers"]) == (64, 2)
    assert encoder._backbone.max_length == card.about["max_length"]
    assert encoder.parameter_count() < 300_000


def test_tiny_reads_report_words_as_one_token() -> None:
    caption = "Bilateral pulmonary infection, two infected areas, upper left lung and lower right lung."
    (ids,) = build_text_encoder("tiny")._backbone.tokenise([caption])
    assert len(ids) == 13 + 3 + 2  # words, punctuation, special tokens


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_tiny_loses_no_word(text: str) -> None:
    words = tiny.vocabulary()
    (ids,) = tiny._tokenise(BertWordPieceTokenizer(vocab=words, lowercase=True), [text])
    assert words["[UNK]"] not in ids
    assert ids[0] == words["[CLS]"]
    assert ids[-1] == words["[SEP]"]


def test_tiny_tells_strings_apart_that_differ_in_rare_characters() -> None:
    assert tiny.plain("5 \u03bcm\u00b2") != tiny.plain("5 \u03bbm\u00b2")
    assert tiny.plain("na\u00efve  t\u00eate\n") == "naive tete"
    assert max(map(len, tiny.plain("x" * 500).split())) <= 50
