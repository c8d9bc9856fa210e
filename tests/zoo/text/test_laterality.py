"""Left and right in text, and what training does to them when it mirrors an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.augment import augment
from datamodules.build import build_datamodule
from datamodules.index.card import DataCard
from tests.helpers.data_cards import data_card
from tests.helpers.image_sets import make_medclipseg
from zoo.registry import DATA
from zoo.text.laterality import AXIS, allowed_flips, exchange_sides, names_side
from zoo.types import Batch, ClassPrompt

WORDS = [
    "left",
    "Right",
    "LEFT",
    "left-sided",
    "rightmost",
    "left_kidney",
    "bilateral",
    "cleft",
    "upright",
    "righteous",
]
PLAIN = (ClassPrompt("lesion", "A lesion.", ("On the wall.",)),)


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("upper left lung and lower right lung.", "upper right lung and lower left lung."),
        ("Left-sided effusion; RIGHT lung clear.", "Right-sided effusion; LEFT lung clear."),
        ("the leftmost polyp,right of it,leftwards", "the rightmost polyp,left of it,rightwards"),
        ("right_kidney", "left_kidney"),
        ("(left)", "(right)"),
        ("Bilateral, on both sides", None),
        ("cleft, bright, upright, copyright, righteous, leftover", None),
        ("LeFt", None),
        ("", None),
    ],
)
def test_words_of_sides_alone_are_exchanged(text: str, mirrored: str | None) -> None:
    assert exchange_sides(text) == (text if mirrored is None else mirrored)
    assert names_side(text) == (mirrored is not None)


@given(
    st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=5)), max_size=8), st.sampled_from(["", " ", "-", ", "])
)
def test_twice_is_the_text_itself(words: list[str], between: str) -> None:
    text = between.join(words)
    assert exchange_sides(exchange_sides(text)) == text


@pytest.mark.parametrize(
    ("facts", "classes", "due"),
    [
        ({"flips": (0, 1), "track": "report", "laterality": "image"}, PLAIN, (0, 1)),
        ({"flips": (0, 1), "track": "report"}, PLAIN, (0,)),  # whose left is unknown: no exchange, no flip
        ({"flips": (0, 1), "track": "class"}, PLAIN, (0, 1)),
        ({"flips": (1,), "track": "class"}, (ClassPrompt("kidney", "The left kidney."),), ()),
        ({"flips": (1,), "track": "report", "laterality": "image"}, (ClassPrompt("a", "A.", ("At the right.",)),), ()),
        ({"track": "report", "laterality": "image"}, PLAIN, ()),
    ],
)
def test_a_flip_needs_the_card_and_text_that_can_follow(
    facts: dict[str, Any], classes: tuple[ClassPrompt, ...], due: tuple[int, ...]
) -> None:
    card = data_card(**facts)
    assert allowed_flips(card.flips, card.spatial_dims, card.sides_known, classes) == due


@pytest.mark.parametrize("name", [card.name for card in DATA if DataCard.of(card).flips])
def test_cards_that_flip_left_and_right_say_whose_they_are(name: str) -> None:
    card = DataCard.of(DATA.get(name))
    if AXIS[card.spatial_dims] in card.flips and card.has_reports:
        assert card.laterality in ("image", "patient")


def batch_of(dims: int, samples: int) -> Batch:
    """Images with a bright left half (columns, or the first axis of a volume), and reports of it."""
    image = torch.full((samples, 1, *[16] * dims), -2.0)
    image.movedim(2 + AXIS[dims], -1)[..., :8] = 2.0
    return Batch(
        image=image,
        label=(image > 0).to(torch.uint8),
        case_id=[str(number) for number in range(samples)],
        spacing=torch.ones(samples, dims),
        classes=PLAIN,
        reports=["Bright on the left."] * samples,
        draw=list(range(samples)),
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_a_report_follows_its_own_image(dims: int) -> None:
    batch = batch_of(dims, 24)
    out = augment(batch, seed=3, flips=range(dims))
    halves = out["image"].movedim(2 + AXIS[dims], -1)
    left = halves[..., :8].flatten(1).mean(1) > halves[..., 8:].flatten(1).mean(1)
    assert out["reports"] == [f"Bright on the {'left' if bright else 'right'}." for bright in left.tolist()]
    assert len(set(out["reports"])) == 2
    assert batch["reports"] == ["Bright on the left."] * 24
    assert out == {**out, **{key: batch[key] for key in ("case_id", "draw", "classes")}}


def test_without_that_flip_no_word_changes() -> None:
    for flips in ((), (0,)):
        assert augment(batch_of(2, 12), 0, flips)["reports"] == ["Bright on the left."] * 12


def test_training_uses_exchanged_words_and_evaluation_the_original_words(tmp_path: Path) -> None:
    data = build_datamodule(
        "kvasir", "tiny", root=str(make_medclipseg(tmp_path)), patch=[32, 32], batch_size=4, epoch_samples=16
    )
    data.setup("fit")
    changed = 0
    for batch in data.train_dataloader():
        out = data.on_after_batch_transfer(batch, 0)
        for case_id, told in zip(out["case_id"], out["reports"], strict=True):
            own = data.index.case(case_id).report or ""
            assert told in (own, exchange_sides(own))
            changed += told != own
    assert changed
    for batch in data.test_dataloader():
        assert data.on_after_batch_transfer(batch, 0)["reports"] == [
            data.index.case(i).report for i in batch["case_id"]
        ]
