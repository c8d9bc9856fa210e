"""SAT: its query layer against the equation, its size against the release, and labels on a coarser grid."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from zoo.layers.query import QueryDecoder, QueryLayer, pool_to_deepest
from zoo.losses.deep_supervision import shrink_label


def test_query_decoder_has_the_parameters_of_the_release() -> None:
    with torch.device("meta"):
        decoder = QueryDecoder(width=768, layers=6, heads=8, hidden=2048, dropout=0.1)
    assert sum(weight.numel() for weight in decoder.parameters()) == 33_085_440


def test_query_layer_is_cross_attention_and_a_feed_forward_network_on_normed_queries() -> None:
    torch.manual_seed(0)
    layer = QueryLayer(width=4, heads=1, hidden=6, dropout=0.5).eval()
    query, key, memory = torch.randn(1, 3, 4), torch.randn(1, 5, 4), torch.randn(1, 5, 4)
    attention = layer.cross_attention.attention
    (wq, wk, wv), (bq, bk, bv) = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    scores = (F.layer_norm(query, (4,)) @ wq.T + bq) @ (key @ wk.T + bk).mT / 2
    read = scores.softmax(-1) @ (memory @ wv.T + bv)
    x = query + read @ attention.out_proj.weight.T + attention.out_proj.bias
    x = x + layer.feed[3](layer.feed[0](F.layer_norm(x, (4,))).relu())
    torch.testing.assert_close(layer(query, key, memory), x)


def test_maps_are_averaged_over_the_grid_of_the_deepest() -> None:
    fine = torch.arange(16.0).view(1, 1, 4, 4)
    assert pool_to_deepest([fine, torch.ones(1, 2, 2, 2)])[0].flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


def test_coarser_label_is_the_middle_of_each_cell_and_background_behind_the_end() -> None:
    label = torch.tensor([[[1, 2, 3, 4, 5]]], dtype=torch.uint8)
    assert shrink_label(label, 2).flatten().tolist() == [2, 4, 0]
