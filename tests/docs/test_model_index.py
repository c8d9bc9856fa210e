"""The page of all models is that of the cards, of the published scores and of the results."""

from __future__ import annotations

import pytest

from tests.helpers.model_costs import measure_gflops
from tests.helpers.model_index import COMMAND, PAGE, Ours, make_index, read_costs, read_results
from zoo.cards import ModelCard
from zoo.registry import MODELS

CARDS = [card for card in MODELS if not card.broken and card.origin == "zoo"]

RESULTS = """# Results

## `phantom_chest`: made up

| Model | Seeds | Dice |
| --- | ---: | ---: |
| film (tiny) [other-size] | 1 | **0.7 ± 0.1** |
| film (tiny) - no_text | 1 | 0.5 |
| *control:mean-shape* | | 0.2 |

| Model | Rank |
| --- | ---: |
| unet (tiny) | 2 |
| Dice | Model |

| Model | Dice |
| --- | ---: |
| film (published) | 0.9 |
| unet (published) | 0.8 |

## `hippocampus`: made up

| Model | Dice |
| --- | ---: |
| film (tiny) | 0.85 |
"""


def test_the_page_is_made_of_the_cards_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == make_index(), f"run `{COMMAND}`"


def test_the_operations_of_each_published_network_are_measured() -> None:
    costs = read_costs()
    for card in CARDS:
        for dim, count in ModelCard.of(card).parameters.items():
            known = costs.get(card.name, {}).get(dim, {})
            assert known.get("parameters") == count, f"{card.name} in {dim}D: run `{COMMAND}`"


def test_the_dice_of_the_first_table_of_a_data_set_is_ours() -> None:
    assert read_results(RESULTS) == {
        "film": [Ours("phantom_chest", "tiny", "0.7 ± 0.1"), Ours("hippocampus", "tiny", "0.85")],
        "unet": [Ours("phantom_chest", "published", "0.8")],
    }


def test_operations_are_counted_on_the_meta_device() -> None:
    costs = read_costs()
    assert measure_gflops(MODELS.get("unet"), 2) == pytest.approx(costs["unet"][2]["gflops"], abs=0.05)
    assert measure_gflops(MODELS.get("film"), 2) > measure_gflops(MODELS.get("unet"), 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", [card.name for card in CARDS])
def test_the_measured_operations_are_those_of_the_code(name: str) -> None:
    for dim, known in read_costs()[name].items():
        assert measure_gflops(MODELS.get(name), dim) == pytest.approx(known["gflops"], abs=0.05)
