"""Operations counted by hand, and what the command prints."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor, nn

from datamodules.build import build_datamodule
from zoo.cli.main import main
from zoo.engine.profile import profile
from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.types import Text


class OneConvolution(SegModule):
    """A 3x3 convolution to one channel, and a matrix that no pass uses."""

    def __init__(self, facts: dict[str, object]) -> None:
        super().__init__(facts)
        self.net = nn.Conv2d(1, 1, 3, padding=1)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        return Output(self.net(image))


class OneAttention(SegModule):
    """Self-attention among the 32 rows of an image, each a token of width 32."""

    def __init__(self, facts: dict[str, object]) -> None:
        super().__init__(facts)
        self.net = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        rows = image[:, 0]
        return Output(self.net(rows, rows, rows, need_weights=False)[0][:, None])


def test_self_attention_is_counted_though_pytorch_fuses_it() -> None:
    data = build_datamodule("phantom_chest", "tiny", counts=[8, 2, 2], pixels=32, patch=[32, 32], batch_size=4)
    found = profile(OneAttention(data.facts), data, torch.device("cpu"), repeats=1)
    projections, products = 2 * 32 * 32 * (3 * 32 + 32), 2 * 2 * 32 * 32 * 32
    assert found.gflops == pytest.approx((projections + products) / 1e9)
    assert torch.backends.mha.get_fastpath_enabled()


def test_operations_are_those_counted_by_hand() -> None:
    data = build_datamodule("phantom_chest", "tiny", counts=[8, 2, 2], pixels=32, patch=[32, 32], batch_size=4)
    found = profile(OneConvolution(data.facts), data, torch.device("cpu"), repeats=1)
    assert found.gflops == pytest.approx(2 * 9 * 32 * 32 / 1e9)
    assert (found.params, found.params_trainable) == (10, 10)
    assert (found.batch_size, found.patch, found.case_shape) == (4, (32, 32), (32, 32))
    assert found.case_id == data.split.ids_of("test")[0]
    assert min(found.step_s, found.case_s) > 0
    assert found.case_mib is None


def test_the_command_prints_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--data.counts=[8,2,2]", "--data.pixels=32", "--data.patch=[32,32]", "--trainer", "cpu"]
    words = ["--model", "lan_guide", "--data", "phantom_chest", *small]
    assert main(["profile", *words, "--repeats", "1", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["model"], facts["size"], facts["repeats"], facts["device"]) == ("lan_guide", "tiny", 1, "CPU")
    assert facts["params"] >= facts["params_trainable"] > 0
    assert main(["profile", *words, "--repeats", "0"]) == 2
    assert "measures nothing" in capsys.readouterr().err
    assert main(["profile", *words, "--repeats", "many"]) == 2
