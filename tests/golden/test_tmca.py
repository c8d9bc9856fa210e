"""The alignment of TMCA's reconstruction against loops over numbers, from masks to the loss."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zoo.losses.contrastive import EmbeddingPairs, text_ids
from zoo.models.tmca.alignment import compute_traits, semantic_distance, soft_contrast

TEMPERATURE, SOFTNESS = 0.1, 0.2
CAPTIONS = (
    "Unilateral pulmonary infection, two infected areas, upper middle left lung.",
    "Unilateral pulmonary infection, one infected area, middle left lung.",
    "Bilateral pulmonary infection, two infected areas, middle left lung and lower right lung.",
)
VISUAL = ((1.0, 0.0), (0.6, 0.8), (0.0, 1.0))
TEXTUAL = ((0.8, 0.6), (0.0, 1.0), (-0.6, 0.8))


def masks() -> torch.Tensor:
    """Return three masks [3, 16, 16] of 16, 8 and 12 pixels in complete cells of the coarse grid."""
    label = torch.zeros(3, 16, 16)
    label[0, 0:4, 0:4] = 1
    label[1, 0:4, 0:2] = 1
    label[2, 0:4, 0:2] = 1
    label[2, 8:10, 8:10] = 1
    return label


DISTANCES = {
    # Dice by counting pixels: 2*8/24, 2*8/28, 2*8/20.
    "mask": [[0, 1 / 3, 3 / 7], [1 / 3, 0, 1 / 5], [3 / 7, 1 / 5, 0]],
    # Zones in the sentences: {upper, middle} left; {middle} left; {middle} left and {lower} right.
    "zone": [[0, 1 / 2, 2 / 3], [1 / 2, 0, 1 / 2], [2 / 3, 1 / 2, 0]],
    # The largest of 1 - cosine is that of the first and the last, 1; the others are 0.4 and 0.2.
    "feature": [[0, 0.4, 1.0], [0.4, 0, 0.2], [1.0, 0.2, 0]],
    # 1 - cosine is 0.4, 1.0 and 0.2: largest is 1.0 again.
    "text": [[0, 0.4, 1.0], [0.4, 0, 0.2], [1.0, 0.2, 0]],
}


def reference(distance: list[list[float]]) -> float:
    """Return the symmetric Kullback-Leibler contrast by its definition."""
    cosine = np.array(VISUAL) @ np.array(TEXTUAL).T / TEMPERATURE
    total = 0.0
    for logits in (cosine, cosine.T):
        for i in range(3):
            shares = [math.exp(-distance[i][j] / SOFTNESS) for j in range(3)]
            likeness = [math.exp(logits[i][j]) for j in range(3)]
            for j in range(3):
                q, p = shares[j] / sum(shares), likeness[j] / sum(likeness)
                total += q * (math.log(q) - math.log(p)) / 3 / 2
    return total


@pytest.mark.parametrize("kind", DISTANCES)
def test_alignment_of_three_pairs_equals_the_calculation_by_hand(kind: str) -> None:
    visual, textual = torch.tensor(VISUAL), torch.tensor(TEXTUAL)
    rows = compute_traits(kind, masks(), CAPTIONS, textual, visual)
    ids = text_ids(CAPTIONS, torch.device("cpu"))
    distance = semantic_distance(kind, rows, torch.zeros(3, dtype=torch.long), ids)
    expected = torch.tensor(DISTANCES[kind], dtype=torch.float32)
    torch.testing.assert_close(distance, expected, atol=1e-6, rtol=1e-5)
    loss = soft_contrast(EmbeddingPairs(visual, textual, ids), distance, TEMPERATURE, SOFTNESS)
    assert loss is not None
    assert float(loss) == pytest.approx(reference(DISTANCES[kind]), rel=1e-5)
