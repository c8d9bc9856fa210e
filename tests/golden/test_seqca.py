"""SeqCA against its release: what the map reads, on equal weights and inputs. And padding, which nothing reads."""

from __future__ import annotations

import pytest
import torch

from tests.helpers.formula_weights import fill, formula
from zoo.models.seqca import SeqCAReleased, SequentialCrossAttention

RELEASED = SeqCAReleased(no_residual=True, space_norm=True)


def test_the_map_reads_the_values_of_the_release() -> None:
    """The release with 8 channels, a text of width 6, and the weights of its norm at 1, on a grid of 2 x 2 x 2."""
    fusion = SequentialCrossAttention(6, 10, 8, RELEASED)
    fill(fusion)
    image, text = 4 * formula("map", 2, 8, 2, 2, 2), 4 * formula("text", 2, 5, 6)
    with torch.no_grad():
        found = fusion(image, text, torch.ones(2, 5, dtype=torch.bool))
    expected = [
        *(-0.2877044, 1.6538036, 1.8100011, 0.5626896, -0.6426852),
        *(1.0045194, -0.9969230, 1.1798888, -0.9996420, 0.9480874),
    ]
    torch.testing.assert_close(found.flatten()[::13], torch.tensor(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize("released", [SeqCAReleased(), RELEASED])
def test_padding_is_not_read(released: SeqCAReleased) -> None:
    fusion = SequentialCrossAttention(6, 10, 8, released)
    fill(fusion)
    image, text = 4 * formula("map", 1, 8, 3, 4), 4 * formula("text", 1, 5, 6)
    mask = torch.tensor([[True, True, True, False, False]])
    with torch.no_grad():
        short, padded = fusion(image, text[:, :3], mask[:, :3]), fusion(image, text, mask)
    torch.testing.assert_close(short, padded, atol=1e-4, rtol=0)
    assert not torch.allclose(padded, image, atol=1e-2)
