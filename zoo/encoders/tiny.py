"""The offline encoder `tiny`: a small BERT with a bundled word list. It is trained with the model.

Common words of anatomy and of reports are one token. Any other word is spelled in characters, so that no word
becomes the unknown token.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from string import ascii_lowercase, digits, punctuation
from typing import Any

import torch
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertModel

from zoo.encoders.huggingface import BertBackbone
from zoo.encoders.text_backbone import TextBackbone
from zoo.registry import CONFIGS
from zoo.utils.hashing import hash_lines

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")
_LONG_WORD = re.compile(r"(\w{50})(?=\w)")  # WordPiece does not split words of more than 100 characters


def vocabulary() -> dict[str, int]:
    """Return token -> id: special tokens, characters, characters inside a word, then the bundled words in order."""
    characters = ascii_lowercase + digits
    words = (CONFIGS / "encoder" / "tiny_words.txt").read_text(encoding="utf-8").split()
    tokens = [*_SPECIAL, *punctuation, *characters, *(f"##{c}" for c in characters), *words]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}


def load(config: Mapping[str, Any], frozen: bool) -> tuple[TextBackbone, str]:
    """Build the backbone with initial weights.

    Args:
        config: The card's `width`, `layers`, `heads` and `max_length`.
        frozen: False: the weights come from torch's global generator, which a run seeds. True: the weights come
            from a fixed seed, because no checkpoint holds frozen weights.

    Returns:
        The backbone, and as its revision the first digits of the hash of its vocabulary.
    """
    words = vocabulary()
    bert = BertConfig(
        vocab_size=len(words),
        hidden_size=config["width"],
        num_hidden_layers=config["layers"],
        num_attention_heads=config["heads"],
        intermediate_size=4 * config["width"],
        max_position_embeddings=config["max_length"],
        # A string is encoded once for all its samples, which would share one dropout mask.
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with torch.random.fork_rng(devices=[]) if frozen else nullcontext():
        if frozen:
            torch.manual_seed(0)
        model = BertModel(bert, add_pooling_layer=False)
    tokenise = partial(_tokenise, BertWordPieceTokenizer(vocab=words, lowercase=True))
    return BertBackbone(model, tokenise, words, config["max_length"]), hash_lines(words)[:12]


def _tokenise(tokenizer: Any, strings: list[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch([plain(string) for string in strings])]


def plain(string: str) -> str:
    """Convert any string to ASCII: remove accents and compatibility forms, write other characters as numbers."""
    folded = unicodedata.normalize("NFKD", " ".join(string.split()))
    folded = "".join(c for c in folded if not unicodedata.combining(c))
    return _LONG_WORD.sub(r"\1 ", _NOT_ASCII.sub(lambda match: f" u{ord(match[0]):x} ", folded))
