"""`torch.compile`: the network of a model is one graph, and a new report does not compile it again."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from zoo import make_facts
from zoo.models import LanGuide
from zoo.types import Text


@pytest.mark.slow  # torch takes seconds to trace even the smallest network
@pytest.mark.filterwarnings("ignore")
def test_a_model_is_one_graph_for_reports_of_all_lengths() -> None:
    """The tokeniser split the network into several graphs, each of them for one report."""
    torch.manual_seed(0)
    small: dict[str, Any] = {"vision": "conv", "width": 8, "stages": 1, "head_width": 8, "heads": 2, "norm": "instance"}
    model = LanGuide(make_facts(["lesion"], patch=[16, 16]), encoder="tiny", **small).eval()
    counter = CompileCounter()
    torch._dynamo.reset()
    compiled = torch.compile(model, backend=counter)
    image = torch.randn(2, 1, 16, 16)
    graphs = []
    for reports in (("Left lesion.", "Right."), ("Left upper zone.", "Right."), ("In the right lower zone.", "None.")):
        text = Text(model.facts.prompts, reports)
        with torch.no_grad():
            torch.testing.assert_close(compiled(image, text), model(image, text), atol=1e-5, rtol=1e-4)
        graphs.append(counter.frame_count)
    assert graphs == [1, 2, 2]  # one length of the text, then any length
