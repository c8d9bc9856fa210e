"""Graphs of networks: which axes may have any size, and networks that cannot be a graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo import make_facts
from zoo.errors import ConfigError
from zoo.export.graph import Axis, trace_network
from zoo.export.parity import differing_labels
from zoo.export.reading import find_reading
from zoo.layers.tokens import spaced
from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.types import LabelSpace, Text

FACTS = make_facts(["lesion"], patch=[16, 24])


class OneConvolution(SegModule):
    def __init__(self, facts: Any, **kwargs: Any) -> None:
        super().__init__(facts, **kwargs)
        self.net = nn.Conv2d(1, 1, 3, padding=1)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        return Output(self.net(image))


class FixedPlaces(OneConvolution):
    """Its learned map has the size of the patch."""

    def __init__(self, facts: Any, **kwargs: Any) -> None:
        super().__init__(facts, **kwargs)
        self.place = nn.Parameter(torch.randn(16, 24))

    def forward_features(self, image: Tensor, text: Text) -> Output:
        return Output(self.net(image) + self.place)


class OneImage(FixedPlaces):
    """It reads the number of images, as a number of Python."""

    def forward_features(self, image: Tensor, text: Text) -> Output:
        return Output(super().forward_features(image, text).logits * len(image))


class LooksAtValues(OneConvolution):
    def forward_features(self, image: Tensor, text: Text) -> Output:
        return Output(self.net(image) if image.sum() > 0 else image)


@pytest.mark.parametrize(
    ("kind", "axes"),
    [
        (OneConvolution, [Axis("batch"), Axis("height", None, 2), Axis("width", None, 2)]),
        (FixedPlaces, [Axis("batch"), Axis("height", 16, 16), Axis("width", 24, 24)]),
        (OneImage, [Axis("batch", 1, 1), Axis("height", 16, 16), Axis("width", 24, 24)]),
    ],
)
def test_an_axis_may_have_any_size_where_the_network_allows_it(kind: type[SegModule], axes: list[Axis]) -> None:
    model = kind(FACTS).eval()
    assert find_reading(model, torch.zeros(1, 1, 16, 24), Text(model.facts.prompts)) == (None, None)
    graph = next(trace_network(model, None, None))
    assert list(graph.axes) == axes


def test_a_network_that_looks_at_values_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"LooksAtValues cannot be exported as a graph: .*--format safetensors"):
        next(trace_network(LooksAtValues(FACTS).eval(), None, None))


def test_only_labels_that_rounding_decides_may_differ() -> None:
    several = LabelSpace(("a", "b"), ((1,), (2,)))
    original = torch.tensor([0.0, 1.0, 1.00005]).view(1, 3, 1, 1)
    found = torch.tensor([0.0, 1.0001, 1.0]).view(1, 3, 1, 1)
    assert differing_labels(original, found, several) == (1, 0)
    assert differing_labels(original * 100, found, several) == (1, 1)
    one = LabelSpace(("a",), ((1,),), exclusive=False)
    assert differing_labels(torch.tensor([[[[1e-5, 1.0]]]]), torch.tensor([[[[-1e-5, -1.0]]]]), one) == (2, 1)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10, 64, 129, 1000])
def test_spaced_numbers_are_those_of_linspace(count: int) -> None:
    for start, end in ((0, 1), (-1, 1)):
        assert spaced(start, end, count, torch.device("cpu")).equal(torch.linspace(start, end, count))
