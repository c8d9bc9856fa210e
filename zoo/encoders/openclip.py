"""CLIP text encoders of open_clip: a CLIP transformer, or a BERT inside a CLIP.

The image encoder is built only to load the checkpoint. Tokens are those of the last layer at the width of the
backbone, before the projection to the space shared with images.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import open_clip
import torch
from torch import Tensor, nn
from transformers import BertConfig

from zoo.encoders.huggingface import BROKEN, BertBackbone, fetch, quiet, unreadable
from zoo.encoders.text_backbone import TextBackbone, TextTokens, Tokenise
from zoo.errors import TextError

CONFIG = "open_clip_config.json"
"""A folder with this file is in the layout of open_clip."""

_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


class ClipBackbone(TextBackbone):
    """The causal text transformer of CLIP, pooled at the end-of-text token.

    Args:
        text: An open_clip model or text encoder with `token_embedding`, `positional_embedding`,
            `transformer.resblocks`, `ln_final` and `attn_mask`.
        tokenise: Strings -> ids.
        vocabulary: Token -> id.
    """

    attn_mask: Tensor

    def __init__(self, text: Any, tokenise: Tokenise, vocabulary: Mapping[str, int]) -> None:
        blocks = text.transformer.resblocks
        width = text.ln_final.weight.shape[0]
        super().__init__(tokenise, vocabulary, width, len(blocks), text.positional_embedding.shape[0], 0)
        self.token_embedding: nn.Module = text.token_embedding
        self.positional_embedding: nn.Parameter = text.positional_embedding
        self.layers: nn.ModuleList = blocks
        self.ln_final: nn.Module = text.ln_final
        self.register_buffer("attn_mask", text.attn_mask.clone(), persistent=False)

    def embed(self, ids: Tensor) -> Tensor:
        """Compute token and position embeddings."""
        return self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]  # type: ignore[no-any-return]

    def run(self, hidden: Tensor, mask: Tensor, start: int, stop: int) -> Tensor:
        """See `TextBackbone.run`. Padding follows the text, so the causal mask hides it."""
        causal = self.attn_mask[: hidden.shape[1], : hidden.shape[1]]
        for layer in self.layers[start:stop]:
            hidden = layer(hidden, attn_mask=causal)
        return hidden

    def finish(self, hidden: Tensor, mask: Tensor) -> TextTokens:
        """See `TextBackbone.finish`."""
        tokens = self.ln_final(hidden)
        end = mask.sum(1) - 1
        return TextTokens(tokens, mask, tokens[torch.arange(tokens.shape[0], device=tokens.device), end])


def load(config: Mapping[str, Any], frozen: bool) -> tuple[TextBackbone, str]:
    """Load the text encoder of a card.

    Args:
        config: The card's `repo` and `revision`.
        frozen: Not used here.

    Returns:
        The backbone and the commit of its files.

    Raises:
        TextError: The hub cannot be reached, or the files are not a CLIP.
    """
    folder = fetch(config, *_WEIGHTS)
    return load_folder(folder), folder.name


def load_folder(folder: Path) -> TextBackbone:
    """Load the text encoder of a folder with `open_clip_config.json`, weights, and a tokeniser that CLIP lacks.

    Raises:
        TextError: The folder is not readable, or the backbone has another shape.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        text_config = dict(config.get("model_cfg", config)["text_cfg"])
        with quiet(), TemporaryDirectory() as scratch:
            if text_config.get("hf_model_name"):
                text_config["hf_model_name"] = str(_bert_config(folder, Path(scratch)))
                text_config["hf_model_pretrained"] = False  # the weights are in the checkpoint
            model = open_clip.create_model(f"local-dir:{folder}", text_cfg=text_config, require_pretrained=True)
        tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    except BROKEN as error:
        raise unreadable(folder, error) from error
    text = getattr(model, "text", model)
    if text_config.get("hf_model_name"):
        return _wrapped_bert(text, tokenizer, text_config)
    pool = getattr(text, "pool_type", getattr(text, "text_pool_type", None))
    if not isinstance(tokenizer, open_clip.SimpleTokenizer) or pool != "argmax" or text.attn_mask is None:
        raise TextError(f"{folder}: not a causal CLIP text encoder with CLIP's tokeniser.", "Use such an encoder.")
    return ClipBackbone(text, partial(_tokenise, tokenizer), tokenizer.encoder)


def _bert_config(folder: Path, scratch: Path) -> Path:
    """Return a folder with the configuration of the BERT inside the CLIP, so that open_clip asks no hub.

    The repository of BiomedCLIP has no such configuration. The default configuration is its BERT-base. Loading
    is strict and refuses a backbone of another size.
    """
    own = folder / "config.json"
    if own.is_file() and json.loads(own.read_text(encoding="utf-8")).get("model_type") == "bert":
        return folder
    BertConfig().save_pretrained(scratch)
    return scratch


def _wrapped_bert(text: Any, tokenizer: Any, config: Mapping[str, Any]) -> BertBackbone:
    pool = "mean" if config.get("hf_pooler_type", "mean_pooler") == "mean_pooler" else "first"
    tokenise = partial(_tokenise_hf, tokenizer)
    return BertBackbone(text.transformer, tokenise, tokenizer.tokenizer.get_vocab(), tokenizer.context_length, pool)


def _tokenise(tokenizer: Any, strings: list[str]) -> list[list[int]]:
    return [[tokenizer.sot_token_id, *tokenizer.encode(string), tokenizer.eot_token_id] for string in strings]


def _tokenise_hf(tokenizer: Any, strings: list[str]) -> list[list[int]]:
    cleaned = [tokenizer.clean_fn(string) for string in strings]
    return tokenizer.tokenizer(cleaned, verbose=False)["input_ids"]  # type: ignore[no-any-return]
