"""CAT with text prompts alone: its refiner against the release, and its contrast by hand."""

from __future__ import annotations

import math

import torch
from torch import nn

from tests.helpers.formula_weights import fill, formula
from zoo import make_facts
from zoo.models.cat_text import CATText, Refiner, match_classes, project


def test_queries_read_the_values_of_the_release_from_a_map_and_from_their_own_text() -> None:
    """The release with 3 queries of width 6, a map of 8 channels and 2 heads; its mask of prompts is the diagonal."""
    parts = nn.ModuleDict({"project": project(6, 8), "refiner": Refiner(8, 2)})
    fill(parts)
    queries = parts["project"](formula("queries", 2, 3, 6))
    image, texts = formula("map", 2, 8, 2, 2, 2).flatten(2).mT, formula("texts", 2, 3, 8)
    with torch.no_grad():
        of_map, of_text = parts["refiner"](queries, image), parts["refiner"](queries, texts, own=True)
    expected = torch.tensor([-1.2563708, -0.3446850, -2.0548532, -1.4101551, 1.0807838, -1.8674040])
    torch.testing.assert_close(of_map.flatten()[::9], expected, atol=1e-5, rtol=0)
    expected = torch.tensor([-0.8844031, -0.4752426, -2.1728947, -1.3522900, 1.1270889, -1.3870512])
    torch.testing.assert_close(of_text.flatten()[::9], expected, atol=1e-5, rtol=0)


def test_contrast_is_a_smoothed_cross_entropy_over_rows_and_columns() -> None:
    similarity = torch.tensor([[[2.0, 0.0], [1.0, 3.0]]])

    def entropy(right: float, wrong: float) -> float:
        total = math.log(math.exp(right) + math.exp(wrong))
        return 0.95 * (total - right) + 0.05 * (total - wrong)

    rows = (entropy(2, 0) + entropy(3, 1)) / 2
    columns = (entropy(2, 1) + entropy(3, 0)) / 2
    assert math.isclose(match_classes(similarity).item(), (rows + columns) / 2, rel_tol=1e-6)


def test_one_class_has_no_contrast_and_no_parameters_for_it() -> None:
    one, two = (
        CATText(make_facts(names, patch=[16, 16]), encoder="tiny", channels=[8] * 5) for names in (["a"], ["a", "b"])
    )
    assert not [name for name, _ in one.named_parameters() if name.startswith(("contrast", "temperature"))]
    assert [name for name, _ in two.named_parameters() if name.startswith(("contrast", "temperature"))]
