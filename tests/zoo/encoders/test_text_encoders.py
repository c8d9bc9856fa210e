"""The contract of `TextEncoder`, on all kinds: BERT from a folder, CLIP, BERT inside CLIP, tiny; frozen and trained."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from torch import nn

from tests.helpers.text_encoder_folders import write_bert, write_clip, write_wrapped_clip
from zoo.encoders.text import TextEncoder, build_text_encoder
from zoo.encoders.text_backbone import TextTokens
from zoo.errors import CheckpointError, TextError, UnknownNameError

STRINGS = ["left kidney", "right kidney of the patient", "", "left kidney"]
KINDS = ["bert", "clip", "wrapped", "tiny"]
Build = Callable[..., TextEncoder]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("encoders")
    writers = {"bert": write_bert, "clip": write_clip, "wrapped": write_wrapped_clip}
    return {kind: str(write(root / kind)) for kind, write in writers.items()} | {"tiny": "tiny"}


@pytest.fixture(params=KINDS)
def build(request: pytest.FixtureRequest, folders: dict[str, str]) -> Build:
    def make(freeze: bool | None = None) -> TextEncoder:
        return build_text_encoder(folders[request.param], freeze)

    return make


@contextmanager
def counted(encoder: TextEncoder) -> Iterator[list[int]]:
    """The number of strings that pass the last layer, call by call."""
    rows: list[int] = []

    def count(_module: nn.Module, args: tuple[Any, ...]) -> None:
        rows.append(len(args[0]))

    layers: Any = encoder._backbone.layers
    handle = layers[-1].register_forward_pre_hook(count)
    yield rows
    handle.remove()


def close(left: TextTokens, right: TextTokens) -> None:
    assert torch.equal(left.mask, right.mask)
    torch.testing.assert_close(left.tokens[left.mask], right.tokens[right.mask], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(left.pooled, right.pooled, atol=1e-5, rtol=1e-4)


def test_shapes_masks_and_order(build: Build) -> None:
    encoder = build(freeze=True)
    tokens, mask, pooled = encoder(STRINGS)
    assert tokens.shape == (4, mask.shape[1], encoder.width)
    assert pooled.shape == (4, encoder.width)
    assert mask.dtype == torch.bool
    assert mask[:, 0].all()
    assert mask.sum(1)[2] == 2  # the empty string: its two special tokens
    assert torch.equal(pooled[0], pooled[3])
    assert not torch.allclose(pooled[0], pooled[1])
    assert torch.isfinite(tokens[mask]).all()


def test_frozen_strings_are_encoded_exactly_once(build: Build) -> None:
    encoder = build(freeze=True)
    with counted(encoder) as rows:
        for _ in range(3):
            encoder(STRINGS)
        encoder(["left kidney", "spleen"])
    assert rows == [3, 1]


def test_trained_strings_are_encoded_once_a_batch(build: Build) -> None:
    encoder = build(freeze=False).train()
    with counted(encoder) as rows:
        encoder(STRINGS)
        encoder(STRINGS)
    assert rows == [3, 3]


def test_a_large_cache_is_filled_in_chunks(build: Build) -> None:
    encoder = build(freeze=True)
    strings = [f"lesion {number}" for number in range(100)]
    with counted(encoder) as rows:
        all_at_once = encoder(strings)
    assert rows == [64, 36]
    torch.testing.assert_close(all_at_once.pooled[99], encoder(["lesion 99"]).pooled[0])


def test_padding_changes_no_real_token(build: Build) -> None:
    encoder = build(freeze=False).eval()
    with torch.enable_grad():  # past the cache
        alone = encoder(["left kidney"])
        padded = encoder(["left kidney", "the right kidney lies under the liver"])
    length = int(alone.mask.sum())
    assert padded.mask.shape[1] > length
    torch.testing.assert_close(padded.tokens[0, :length], alone.tokens[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(padded.pooled[0], alone.pooled[0], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("freeze", [True, False])
def test_stages_make_up_forward(build: Build, freeze: bool) -> None:
    encoder = build(freeze=freeze).eval()
    hidden, mask = encoder.embed(STRINGS)
    assert hidden.shape == (*mask.shape, encoder.width)
    hidden = encoder.run_layers(hidden, mask, 0, 1)
    hidden = encoder.run_layers(hidden, mask, 1, encoder.depth)
    close(encoder.finish(hidden, mask), encoder(STRINGS))


def test_stages_take_an_expanded_batch(build: Build) -> None:
    encoder = build(freeze=True)
    hidden, mask = encoder.embed(STRINGS)
    twice, masks = hidden.repeat(2, 1, 1), mask.repeat(2, 1)
    out = encoder.finish(encoder.run_layers(twice, masks, 0, encoder.depth), masks)
    whole = encoder(STRINGS)
    torch.testing.assert_close(out.pooled[:4], whole.pooled, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(out.pooled[4:], whole.pooled, atol=1e-5, rtol=1e-4)


def test_gradient_passes_frozen_layers(build: Build) -> None:
    encoder = build(freeze=True)
    hidden, mask = encoder.embed(STRINGS)
    hidden = hidden.clone().requires_grad_()
    encoder.finish(encoder.run_layers(hidden, mask, 0, encoder.depth), mask).pooled.pow(2).sum().backward()
    assert hidden.grad is not None
    assert hidden.grad.abs().sum() > 0
    assert all(weight.grad is None and not weight.requires_grad for weight in encoder._backbone.parameters())


def test_frozen_is_out_of_parameters_and_always_eval(build: Build) -> None:
    encoder = build(freeze=True)
    model = nn.Sequential(encoder).train()
    assert list(model.parameters()) == []
    assert set(model.state_dict()) == {"0._extra_state"}
    assert not encoder.training
    assert not any(module.training for module in encoder._backbone.modules())
    assert encoder.parameter_count() > 1000


def test_trained_is_in_parameters_and_learns(build: Build) -> None:
    encoder = build(freeze=False).train()
    assert sum(weight.numel() for weight in encoder.parameters()) == encoder.parameter_count()
    encoder(STRINGS).pooled.pow(2).sum().backward()
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in encoder.parameters())


def test_state_dict_round_trip_without_pickle(build: Build, tmp_path: Path) -> None:
    for freeze in (True, False):
        encoder, other = build(freeze=freeze).eval(), build(freeze=freeze).eval()
        torch.save(encoder.state_dict(), tmp_path / "state.pt")
        with torch.no_grad():
            other(STRINGS)  # a cache that loading has to drop
            other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
            close(other(STRINGS), encoder(STRINGS))


def test_deepcopy_is_independent(build: Build) -> None:
    encoder = build(freeze=False).eval()
    twin = copy.deepcopy(encoder)
    with torch.no_grad():
        before = encoder(STRINGS)
        close(twin(STRINGS), before)
        for weight in twin.parameters():
            weight.mul_(2)
    close(encoder(STRINGS), before)


def test_the_eval_cache_of_a_trained_encoder_follows_its_weights(build: Build) -> None:
    encoder = build(freeze=False).eval()
    with torch.no_grad(), counted(encoder) as rows:
        before = encoder(STRINGS).pooled
        encoder(STRINGS)
    assert rows == [3]
    encoder.training = True  # as Lightning goes back to training, without a call of `train`
    optimiser = torch.optim.SGD(encoder.parameters(), lr=0.1)
    encoder(STRINGS).pooled.pow(2).sum().backward()
    optimiser.step()
    with torch.no_grad():
        after = encoder.eval()(STRINGS).pooled
    assert not torch.allclose(before, after)


@pytest.mark.parametrize("freeze", [True, False])
def test_what_inference_mode_has_cached_can_be_trained_on(build: Build, freeze: bool) -> None:
    encoder = build(freeze=freeze).eval()
    head = nn.Linear(encoder.width, 1)
    with torch.inference_mode():
        encoder(STRINGS)
    encoder.train()
    head(encoder(STRINGS).pooled).sum().backward()
    assert head.weight.grad is not None


def test_results_can_be_written_to_without_harm(build: Build) -> None:
    encoder = build(freeze=True)
    first = encoder(["left kidney"])
    kept = first.pooled.clone()
    first.pooled.zero_()
    first.tokens.zero_()
    again = encoder(["left kidney"])
    assert torch.equal(again.pooled, kept)
    assert again.tokens.abs().sum() > 0


def test_autocast_does_not_reach_a_frozen_cache(build: Build) -> None:
    encoder, plain = build(freeze=True), build(freeze=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = encoder(STRINGS)
    assert torch.equal(cast.pooled, plain(STRINGS).pooled)


def test_autocast_and_full_precision_do_not_share_a_cache(build: Build) -> None:
    encoder = build(freeze=False).eval()
    with torch.no_grad():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            cast = encoder(STRINGS)
        full = encoder(STRINGS)
    with torch.enable_grad():
        torch.testing.assert_close(full.pooled, encoder(STRINGS).pooled, atol=1e-5, rtol=1e-4)
    assert not torch.equal(cast.pooled, full.pooled)
    torch.testing.assert_close(cast.pooled.float(), full.pooled, atol=0.2, rtol=0.2)


def test_long_strings_are_cut_at_the_encoders_maximum_and_logged_once(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = build(freeze=True)
    long = "kidney " * 600
    with caplog.at_level(logging.WARNING, logger="zoo"):
        tokens = encoder([long, long + "left", "left"])
        encoder([long + "right"])
    assert tokens.mask.sum(1).tolist()[:2] == [encoder._backbone.max_length] * 2
    assert len(caplog.records) == 1
    assert "2 of 3 strings are cut" in caplog.text


def test_another_encoders_checkpoint_is_refused(folders: dict[str, str]) -> None:
    bert, clip = build_text_encoder(folders["bert"]), build_text_encoder(folders["clip"])
    with pytest.raises(CheckpointError) as caught:
        bert.load_state_dict(clip.state_dict())
    assert folders["bert"] in str(caught.value)
    assert folders["clip"] in str(caught.value)


def test_changed_weights_are_refused(folders: dict[str, str], tmp_path: Path) -> None:
    mine = build_text_encoder(folders["bert"])
    other = build_text_encoder(str(write_bert(tmp_path / "other", seed=1)))
    assert mine.weights_hash != other.weights_hash
    with pytest.raises(CheckpointError, match=mine.weights_hash[:12]):
        mine.load_state_dict(other.state_dict())
    trained = build_text_encoder(folders["bert"], freeze=False)
    with pytest.raises(CheckpointError, match="trained"):
        mine.load_state_dict(trained.state_dict())


def test_the_same_weights_in_another_folder_are_accepted(folders: dict[str, str], tmp_path: Path) -> None:
    other = build_text_encoder(str(write_bert(tmp_path / "moved")))
    other.load_state_dict(build_text_encoder(folders["bert"]).state_dict())
    assert other.weights_hash == build_text_encoder(folders["bert"]).weights_hash


def test_defaults_of_freezing(folders: dict[str, str]) -> None:
    assert build_text_encoder(folders["bert"]).frozen
    assert build_text_encoder(folders["clip"]).frozen
    assert not build_text_encoder("tiny").frozen


def test_unknown_names_and_no_strings() -> None:
    with pytest.raises(UnknownNameError, match="minilm"):
        build_text_encoder("minilmm")
    with pytest.raises(TextError, match="No strings"):
        build_text_encoder("tiny")([])


def test_a_frozen_encoder_follows_the_device(folders: dict[str, str]) -> None:
    encoder = build_text_encoder(folders["bert"])
    hidden, mask = encoder.embed(STRINGS, "meta")
    assert hidden.device.type == mask.device.type == "meta"
    assert encoder.run_layers(hidden, mask, 0, encoder.depth).device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_frozen_cache_follows_the_device(build: Build) -> None:
    encoder = build(freeze=True)
    here = encoder(STRINGS)
    there = encoder([*STRINGS, "spleen"], "cuda")
    assert there.tokens.device.type == "cuda"
    torch.testing.assert_close(there.pooled[:4].cpu(), here.pooled, atol=1e-4, rtol=1e-3)
    assert encoder(STRINGS, "cpu").pooled.device.type == "cpu"


@pytest.mark.parametrize("freeze", [True, False])
def test_a_learned_vector_is_encoded_once_between_two_updates(freeze: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = build_text_encoder("tiny", freeze=freeze)
    encoder.replace_text()
    assert encoder.vector is not None
    encoder.train().eval()
    runs = Mock(wraps=encoder.run_layers)
    monkeypatch.setattr(encoder, "run_layers", runs)
    with torch.no_grad():
        first = encoder(["a", "b"]).pooled
        assert torch.equal(encoder(["c"]).pooled, first[:1])
    assert runs.call_count == 1, "once for all strings"
    encoder.train()
    encoder(["a"]).pooled[:, 0].sum().backward()  # the sum over a normalised layer is constant
    assert encoder.vector.grad is not None
    assert encoder.vector.grad.any()
    with torch.no_grad():
        encoder.vector.mul_(-2.0)
        encoder.eval()
        assert not torch.equal(encoder(["a"]).pooled, first[:1])
