"""Tiny checkpoints in the layouts of their libraries, written by the tests themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from transformers import BertConfig, BertForMaskedLM, BertModel

WORDS = ["left", "right", "kidney", "spleen", "liver", "the", "of", "patient", "lies", "under", "lesion", "Left"]
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *WORDS,
    *(f"##{n}" for n in range(10)),
    *map(str, range(10)),
]


def bert_config(**changes: Any) -> BertConfig:
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
    return BertConfig(vocab_size=len(VOCABULARY), max_position_embeddings=24, **{**sizes, **changes})


def write_vocabulary(folder: Path, **settings: Any) -> None:
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def write_bert(folder: Path, seed: int = 0, head: bool = False, **changes: Any) -> Path:
    """Write a BERT; with `head` a masked language model, whose keys have the prefix `bert.`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = (BertForMaskedLM if head else BertModel)(bert_config(**changes))
    model.save_pretrained(folder)
    write_vocabulary(folder)
    return folder


def _write_open_clip(folder: Path, text: dict[str, Any], name: str, model: Any) -> None:
    vision = {"image_size": 16, "layers": 1, "width": 8, "head_width": 8, "patch_size": 8}
    config = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}), encoding="utf-8")
    torch.save(model(**config).state_dict(), folder / name)


def write_clip(folder: Path) -> Path:
    """Write a CLIP with its own text transformer and CLIP's own tokeniser."""
    folder.mkdir(parents=True)
    text = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 3}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _write_open_clip(folder, text, "open_clip_pytorch_model.bin", open_clip.CLIP)
    return folder


def write_wrapped_clip(folder: Path) -> Path:
    """Write a CLIP whose text encoder is a BERT, as in BiomedCLIP."""
    folder.mkdir(parents=True)
    bert_config().save_pretrained(folder)
    write_vocabulary(folder)
    text = {
        "hf_model_name": str(folder),
        "hf_tokenizer_name": str(folder),
        "hf_model_pretrained": False,
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": 16,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _write_open_clip(folder, text, "open_clip_pytorch_model.bin", open_clip.CustomTextCLIP)
    config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))
    config["model_cfg"]["text_cfg"]["hf_model_name"] = "nobody/bert-that-is-nowhere"  # must not be asked for
    del config["model_cfg"]["text_cfg"]["hf_model_pretrained"]
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
