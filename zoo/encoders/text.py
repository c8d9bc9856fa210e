"""`TextEncoder`: strings to tokens, with the same interface for backbones of all libraries.

A frozen encoder is a cache: it encodes each string once. Checkpoints and optimiser do not hold its weights. The
checkpoint holds a hash of the weights, which is checked when it is loaded. A trained encoder is an ordinary
sub-module that encodes each distinct string of a batch once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from zoo.encoders.text_backbone import Embedded, TextBackbone, TextTokens
from zoo.encoders.text_cache import StringCache, spread
from zoo.errors import CheckpointError, TextError
from zoo.registry import ENCODERS

log = logging.getLogger(__name__)

_CHUNK = 64  # strings that are encoded at once to fill a cache, which limits the memory for thousands of reports


class TextEncoder(nn.Module):
    """A backbone that turns strings into tokens. It is frozen and cached, or trained with the model.

    No backbone has dropout. Pre-trained backbones are in eval mode, and a trainer does not change that. A string
    is encoded once for all its samples, which would share one dropout mask.

    Args:
        backbone: The layers and their tokeniser.
        name: The name or the folder of the encoder.
        revision: The version of the encoder: a commit, the version of a package, or "local".
        frozen: Whether the encoder is frozen and cached, or trained.

    Attributes:
        name: As given.
        revision: As given.
        frozen: As given.
        width: Channels W of a token.
        depth: Number of layers.
        checkpoint: Whether layers keep only their input for the backward pass and compute the rest again.
        vector: One learned vector [W] that replaces all tokens of every string; None: the encoder reads the strings.

    Example:
        >>> encoder = build_text_encoder("tiny")
        >>> tuple(encoder(["A lesion.", "Two small lesions."]).pooled.shape) == (2, encoder.width)
        True
    """

    def __init__(self, backbone: TextBackbone, name: str, revision: str, *, frozen: bool) -> None:
        super().__init__()
        self.name = name
        self.revision = revision
        self.frozen = frozen
        self.width = backbone.width
        self.depth = backbone.depth
        self.checkpoint = False
        self.vector: nn.Parameter | None = None
        self._caches: dict[int | None, StringCache] = {}  # by the number of layers run; None: all, and `finish`
        self._precision: object = None
        self._warned = False
        if frozen:
            self._hidden_backbone = (backbone.requires_grad_(False).eval(),)  # a tuple: not a sub-module
            self.eval()
        else:
            self.backbone = backbone

    def forward(self, strings: Sequence[str], device: torch.device | str | None = None) -> TextTokens:
        """Encode N strings, each distinct string once.

        Args:
            strings: N strings. An empty string has two special tokens. Strings that are too long for the encoder
                are cut, which is logged once.
            device: Device of the result; a frozen backbone moves to it. None: the device of the backbone.

        Returns:
            Tokens [N, L, W], mask [N, L] and pooled [N, W] in the order of `strings`.

        Raises:
            TextError: No strings.
        """
        return self._encoded(strings, None, device)

    def embed_and_run(self, strings: Sequence[str], stop: int, device: torch.device | str | None = None) -> Embedded:
        """Run the layers 0 to `stop - 1` on the strings, for models that insert image features after them.

        The result does not depend on the image, so it is cached as in `forward`: always by a frozen encoder,
        between two updates by a trained one.

        Returns:
            `hidden` [N, L, W] and `mask` [N, L] in the order of `strings`. Each distinct string is run once.

        Raises:
            TextError: No strings.
        """
        hidden, mask, _ = self._encoded(strings, stop, device)
        return Embedded(hidden, mask)

    def embed(self, strings: Sequence[str], device: torch.device | str | None = None) -> Embedded:
        """Embed the strings, with repeats, for the first layer.

        Returns:
            `hidden` [N, L, W] and `mask` [N, L].
        """
        place = self._place(device)
        if self.vector is not None:
            ids, mask, _ = self._backbone.batch([""] * len(strings))
            unread = self._backbone.embed(ids.to(place))[:, :1]
            # a trained embedding stays in the graph, because DDP fails with unused parameters
            return Embedded(0.0 * unread + self.vector, mask[:, :1].to(place))
        ids, mask, cut = self._backbone.batch(strings)
        if cut and not self._warned:
            self._warned = True
            longest = self._backbone.limit
            log.warning("%d of %d strings are cut to the %d tokens '%s' reads.", cut, len(strings), longest, self.name)
        return Embedded(self._backbone.embed(ids.to(place)), mask.to(place))

    def run_layers(self, hidden: Tensor, mask: Tensor, start: int, stop: int) -> Tensor:
        """Run the layers `start` to `stop - 1`. `hidden` gets a gradient, also through frozen layers.

        Args:
            hidden: [M, L, W]. M may be larger than in `embed`, with one copy per sample.
            mask: [M, L].
            start: First layer.
            stop: The layer after the last one.
        """
        self._place(hidden.device)
        if not (self.checkpoint and torch.is_grad_enabled()):
            return self._backbone.run(hidden, mask, start, stop)
        for layer in range(start, stop):
            hidden = checkpoint(self._backbone.run, hidden, mask, layer, layer + 1, use_reentrant=False)
        return hidden

    def finish(self, hidden: Tensor, mask: Tensor) -> TextTokens:
        """Finish after the last layer: `embed`, all of `run_layers` and `finish` together equal `forward`."""
        self._place(hidden.device)
        return self._backbone.finish(hidden, mask)

    def replace_text(self) -> None:
        """Put one learned vector in place of the token embeddings of every string. The layers after it stay."""
        self.vector = nn.Parameter(0.02 * torch.randn(self.width))  # BERT's deviation of an embedding
        self._caches.clear()

    def parameter_count(self) -> int:
        """Count all weights of the backbone, frozen or not."""
        return sum(weight.numel() for weight in self._backbone.parameters())

    @property
    def weights_hash(self) -> str:
        """SHA-256 of the current weights of the backbone."""
        return self._frozen_hash if self.frozen else self._backbone.weights_hash()

    def train(self, mode: bool = True) -> Self:
        """Set the mode as `nn.Module.train`. A frozen encoder stays in eval mode; a trained one clears its cache."""
        super().train(mode and not self.frozen)
        if self._changes:  # in both directions, because Lightning may return to training without a call of `train`
            self._caches.clear()
        return self

    def get_extra_state(self) -> dict[str, Any]:
        """Return the facts of the encoder that a checkpoint holds, as plain Python."""
        return {
            "encoder": self.name,
            "revision": self.revision,
            "frozen": self.frozen,
            "vocabulary": self._backbone.vocabulary_hash,
            "weights": self.weights_hash if self.frozen else "",
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Check that a checkpoint was made with this encoder.

        Raises:
            CheckpointError: The frozen weights or the vocabulary differ, or one encoder is frozen and the other not.
        """
        mine = self.get_extra_state()
        if any(state[key] != mine[key] for key in ("frozen", "vocabulary", "weights")):
            raise CheckpointError(
                f"The checkpoint was made with the text encoder {_describe(state)}, this model has {_describe(mine)}.",
                "Use `--model.encoder` and `--model.freeze_text` of the config.yaml beside the checkpoint.",
            )

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._caches.clear()
        super()._load_from_state_dict(*args, **kwargs)

    @cached_property
    def _frozen_hash(self) -> str:
        return self._backbone.weights_hash()

    @property
    def _backbone(self) -> TextBackbone:
        return self._hidden_backbone[0] if self.frozen else self.backbone

    @property
    def _changes(self) -> bool:
        """Whether training changes what the encoder returns: its weights or the learned vector."""
        return not self.frozen or self.vector is not None

    def _place(self, device: torch.device | str | None) -> torch.device:
        """Return the device to work on, and move a frozen backbone to it, which `Module.to` does not reach."""
        here = next(self._backbone.parameters()).device
        there = here if device is None else torch.device(device)
        if there.type == here.type and there.index in (None, here.index):
            return here
        if self.frozen:
            # weights that are made in inference mode cannot be part of a training
            with torch.inference_mode(False), torch.no_grad():
                self._backbone.to(there)
            return next(self._backbone.parameters()).device
        return there

    def _encoded(self, strings: Sequence[str], stop: int | None, device: torch.device | str | None) -> TextTokens:
        """Encode N strings up to layer `stop` (None: to the end), from the cache where it may be used."""
        strings = list(strings)
        if not strings:
            raise TextError(f"No strings for the text encoder '{self.name}'.", 'Give at least one string, or "".')
        place = self._place(device)
        read = strings if self.vector is None else [""] * len(strings)
        if not self._changes or not (self.training or torch.is_grad_enabled()):
            return self._cached(read, stop, place)
        self._caches.clear()  # a gradient is needed, so the weights will change
        if self.vector is not None:
            one = self._encode([""], stop, place)
            return TextTokens(*(part.expand(len(strings), *part.shape[1:]) for part in one))
        distinct = list(dict.fromkeys(strings))
        return spread(self._encode(distinct, stop, place), distinct, strings)

    def _encode(self, strings: Sequence[str], stop: int | None, device: torch.device) -> TextTokens:
        hidden, mask = self.embed(strings, device)
        hidden = self.run_layers(hidden, mask, 0, self.depth if stop is None else stop)
        # before the end there is no pooled vector
        return self._backbone.finish(hidden, mask) if stop is None else TextTokens(hidden, mask, hidden[:, 0, :0])

    def _cached(self, strings: Sequence[str], stop: int | None, device: torch.device) -> TextTokens:
        """Encode missing strings: in full precision, but what is trained in the precision of the caller."""
        autocast = self._changes and torch.is_autocast_enabled(device.type)
        precision = torch.get_autocast_dtype(device.type) if autocast else None
        if precision != self._precision:
            self._caches.clear()
            self._precision = precision
        cache = self._caches.setdefault(stop, StringCache(self._backbone.length is not None))
        new = cache.missing(strings)
        # not in inference mode, because training uses strings that validation has cached
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            torch.autocast(device.type, enabled=autocast),
        ):
            for start in range(0, len(new), _CHUNK):
                chunk = new[start : start + _CHUNK]
                cache.put(chunk, self._encode(chunk, stop, device))
        return cache.gather(strings, device)


def _describe(state: dict[str, Any]) -> str:
    kind = f"frozen, weights {state['weights'][:12]}" if state["frozen"] else "trained"
    return f"'{state['encoder']}' ({kind}, vocabulary {state['vocabulary'][:12]})"


def build_text_encoder(name: str, freeze: bool | None = None, length: int | None = None) -> TextEncoder:
    """Build the text encoder of a name or of a local folder.

    Args:
        name: A name of `zoo list encoders`, or a folder. `save_pretrained` writes such a folder for a BERT with its
            tokeniser. A folder with `open_clip_config.json` and weights holds a CLIP.
        freeze: True: frozen and cached. False: trained with the model. None: as the card says; only `tiny` is
            trained.
        length: Number of tokens to which every string is cut or padded. None: any length, up to that of the encoder.

    Raises:
        UnknownNameError: `name` is neither a name nor a folder.
        TextError: The weights cannot be downloaded or read.

    Example:
        >>> build_text_encoder("tiny", freeze=True).frozen
        True
    """
    folder = Path(name).expanduser()
    if name not in ENCODERS and folder.is_dir():
        backbone, revision, frozen = _load_folder(folder), "local", freeze is not False
    else:
        config = ENCODERS.get(name).config
        frozen = bool(config.get("freeze", True)) if freeze is None else freeze
        kind = config.get("kind")
        if kind not in _MODULES:
            raise TextError(f"The card of the text encoder '{name}' has kind {kind!r}.", f"Use {[*_MODULES]}.")
        backbone, revision = import_module(_MODULES[kind]).load(config, frozen)
    backbone.length = length
    return TextEncoder(backbone, name, revision, frozen=frozen)


_MODULES = {"hf": "zoo.encoders.huggingface", "open_clip": "zoo.encoders.openclip", "tiny": "zoo.encoders.tiny"}
"""The module of each kind of encoder. It is imported at need, because `open_clip` takes seconds to import."""


def _load_folder(folder: Path) -> TextBackbone:
    kind = "open_clip" if (folder / "open_clip_config.json").is_file() else "hf"
    return import_module(_MODULES[kind]).load_folder(folder)  # type: ignore[no-any-return]
