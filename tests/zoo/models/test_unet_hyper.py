"""The control with generated kernels: its layers against convolutions, and its ablation."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from zoo import make_facts
from zoo.models.unet_hyper import SHAPES, UNetHyper, apply_kernels
from zoo.types import ClassPrompt, Text

SMALL = (4, 4, 4, 4, 4, 4)


def test_generated_layers_are_convolutions_per_image_and_class() -> None:
    random = torch.Generator().manual_seed(0)
    feature = torch.randn(2, 8, 5, 6, generator=random)
    kernels = torch.randn(2, 3, sum(rows * columns + rows for rows, columns in SHAPES), generator=random)
    found = apply_kernels(feature, kernels)
    for image in range(2):
        for number in range(3):
            x, rest = feature[image : image + 1], kernels[image, number]
            for layer, (rows, columns) in enumerate(SHAPES):
                weight, bias = rest[: rows * columns], rest[rows * columns : rows * columns + rows]
                rest = rest[rows * columns + rows :]
                x = F.conv2d(x.relu() if layer else x, weight.view(rows, columns, 1, 1), bias)
            torch.testing.assert_close(found[image, number], x[0, 0])
    assert rest.numel() == 0


def test_a_code_of_one_hot_reads_no_text_and_tells_classes_apart() -> None:
    facts = make_facts(["liver", "spleen"], patch=[32, 32])
    model = UNetHyper(facts, encoder="tiny", code="one_hot", channels=SMALL).eval()
    assert not [name for name, _ in model.named_parameters() if name.startswith("text.")]
    image = torch.randn(1, 1, 32, 32)
    others = Text(tuple(ClassPrompt(name, "Another sentence.", ()) for name in ("liver", "spleen")))
    with torch.no_grad():
        logits = model(image, Text(model.facts.prompts))
        assert logits.equal(model(image, others))
    assert not torch.allclose(logits[:, -1], logits[:, -2])
