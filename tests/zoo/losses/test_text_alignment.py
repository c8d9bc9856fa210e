"""LG_SDG's loss: the release's value on equal inputs, and what the mended form changes."""

from __future__ import annotations

import pytest
import torch

from tests.helpers.formula_weights import formula
from zoo.losses.text_alignment import align_places, centre_classes, find_present


def labels() -> torch.Tensor:
    """Return labels 0 to 4 of two images of 64 x 96, in whose cells of 32 x 32 some classes are absent."""
    label = ((formula("label", 2, 64, 96) + 1) * 2.5).long()
    label[:, :32, :32] = 0
    label[:, 32:, 64:] = label[:, 32:, 64:].clamp(max=2)
    label[0, 32:, :32] = 3
    return label


def test_the_value_is_that_of_the_release() -> None:
    """The release's sum over patches, divided by the samples, for its four classes."""
    masks = torch.stack([labels() == number for number in range(1, 5)], dim=1)
    present = find_present(masks, (2, 3))
    assert present[0, :, :].sum(1).tolist() == [0, 4, 4, 1, 4, 2]
    vectors = formula("text", 4, 16).expand(2, -1, -1)
    found = align_places(formula("places", 2, 6, 16), vectors, present, ~present, total=True)
    assert float(found) == pytest.approx(3.5016074, abs=1e-6)


def test_parallel_classes_cannot_be_told_apart_unless_their_mean_is_subtracted() -> None:
    """Text vectors of classes are nearly parallel: near one of them and far from the other is a contradiction."""
    vectors = torch.nn.functional.normalize(formula("classes", 1, 2, 16) + 40 * formula("common", 16), dim=2)
    present = torch.tensor([[[True, False], [False, True]]])
    background = torch.nn.functional.normalize(40 * formula("common", 16)[None] + formula("rest", 1, 16), dim=1)
    centred, *every = centre_classes(vectors, present, ~present, background)
    both = ((vectors, present, ~present), (centred, *every))
    ideal = [float(align_places(text[:, :2], text, here, away)) for text, here, away in both]
    assert ideal[0] > 1.9, "a place that is its class has nearly the loss of any place, which is 2"
    assert ideal[1] < 0.6


def test_the_background_is_where_no_class_is() -> None:
    present = torch.tensor([[[True, False], [False, False]]])
    absent = ~present
    absent[0, 1, 0] = False  # a partial label, which does not say it
    _, here, away = centre_classes(formula("classes", 1, 2, 4), present, absent, formula("rest", 1, 4))
    assert here.tolist() == [[[True, False, False], [False, False, False]]]
    assert away.tolist() == [[[False, True, True], [False, True, False]]]
    assert centre_classes(formula("classes", 1, 2, 4), present, ~present, formula("rest", 1, 4))[1][0, 1, 2]


def test_an_object_of_one_voxel_is_present_in_its_cell() -> None:
    masks = torch.zeros(1, 1, 8, 8, 8)
    masks[0, 0, 7, 0, 3] = 1
    present = find_present(masks, (2, 2, 2))[0, :, 0]
    assert present.tolist() == [False] * 4 + [True] + [False] * 3
