"""Text encoders behind one call: strings in, tokens out, whichever library they come from.

A frozen encoder is a cache: each string is encoded once, its weights stand in no checkpoint and no
optimiser, and their hash is in the checkpoint and checked at loading. A trained encoder is an
ordinary sub-module that encodes each distinct string of a batch once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
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

_CHUNK = 64  # strings encoded at a time when a cache is filled: bounds the memory of thousands of reports


class TextEncoder(nn.Module):
    """Strings to tokens, by a backbone that is frozen and cached or trained with the model.

    Neither has dropout: pre-trained backbones come in eval mode and a trainer leaves them so, because a
    string is encoded once for all its samples, which would share one draw.

    Args:
        backbone: The layers and their tokeniser.
        name: The name it was asked for by.
        revision: Which version of it: a commit, a package's version, "local".
        frozen: Frozen and cached (see the module's docstring), or trained.

    Attributes:
        name: As given.
        revision: As given.
        frozen: As given.
        width: Channels W of a token.
        depth: Number of layers.
        checkpoint: Layers keep only their input for the backward pass and compute again what it needs.

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
        self._caches: dict[int | None, StringCache] = {}  # by the number of layers run; None: all, and `finish`
        self._precision: object = None
        self._warned = False
        if frozen:
            self._hidden_backbone = (backbone.requires_grad_(False).eval(),)  # a tuple: not a sub-module
            self.eval()
        else:
            self.backbone = backbone

    def forward(self, strings: Sequence[str], device: torch.device | str | None = None) -> TextTokens:
        """Encode N strings, each distinct one once.

        Args:
            strings: N strings; an empty one is two special tokens. Longer ones than the encoder
                reads are cut, which is logged once.
            device: Where the result is wanted; a frozen backbone moves there. Without it: where it is.

        Returns:
            Tokens [N, L, W], mask [N, L] and pooled [N, W] in the order of `strings`.

        Raises:
            TextError: No strings.
        """
        return self._encoded(strings, None, device)

    def embed_and_run(self, strings: Sequence[str], stop: int, device: torch.device | str | None = None) -> Embedded:
        """The strings after the layers 0 to `stop - 1`, for models that interleave from there on.

        What no image has reached is the same for every image and window, so it is kept just as
        `forward` keeps it: by a frozen encoder for good, by a trained one between two updates.

        Returns:
            `hidden` [N, L, W] and `mask` [N, L] in the order of `strings`, each distinct one run once.

        Raises:
            TextError: No strings.
        """
        hidden, mask, _ = self._encoded(strings, stop, device)
        return Embedded(hidden, mask)

    def embed(self, strings: Sequence[str], device: torch.device | str | None = None) -> Embedded:
        """The strings as they are (repeats included) before the first layer, for models that interleave.

        Returns:
            `hidden` [N, L, W] and `mask` [N, L].
        """
        place = self._place(device)
        ids, mask, cut = self._backbone.batch(strings)
        if cut and not self._warned:
            self._warned = True
            longest = self._backbone.max_length
            log.warning("%d of %d strings are cut to the %d tokens '%s' reads.", cut, len(strings), longest, self.name)
        return Embedded(self._backbone.embed(ids.to(place)), mask.to(place))

    def run_layers(self, hidden: Tensor, mask: Tensor, start: int, stop: int) -> Tensor:
        """The layers `start` to `stop - 1`. Gradient flows to `hidden`, through frozen layers too.

        Args:
            hidden: [M, L, W]; M may have grown since `embed`, by one copy a sample.
            mask: [M, L].
            start: First layer.
            stop: One past the last layer.
        """
        self._place(hidden.device)
        if not (self.checkpoint and torch.is_grad_enabled()):
            return self._backbone.run(hidden, mask, start, stop)
        for layer in range(start, stop):
            hidden = checkpoint(self._backbone.run, hidden, mask, layer, layer + 1, use_reentrant=False)
        return hidden

    def finish(self, hidden: Tensor, mask: Tensor) -> TextTokens:
        """What follows the last layer: `embed`, all of `run_layers` and `finish` equal `forward`."""
        self._place(hidden.device)
        return self._backbone.finish(hidden, mask)

    def parameter_count(self) -> int:
        """All weights of the backbone, frozen ones included."""
        return sum(weight.numel() for weight in self._backbone.parameters())

    @property
    def weights_hash(self) -> str:
        """sha256 of the backbone's weights as they are now."""
        return self._frozen_hash if self.frozen else self._backbone.weights_hash()

    def train(self, mode: bool = True) -> Self:
        """As `nn.Module.train`; a frozen encoder stays in eval mode, a trained one drops its cache."""
        super().train(mode and not self.frozen)
        if not self.frozen:  # at either switch: Lightning goes back to training without calling `train`
            self._caches.clear()
        return self

    def get_extra_state(self) -> dict[str, Any]:
        """What a checkpoint must know of its encoder, as plain Python."""
        return {
            "encoder": self.name,
            "revision": self.revision,
            "frozen": self.frozen,
            "vocabulary": self._backbone.vocabulary_hash,
            "weights": self.weights_hash if self.frozen else "",
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Check that a checkpoint's encoder is this one.

        Raises:
            CheckpointError: Other frozen weights, another vocabulary, or trained against frozen.
        """
        mine = self.get_extra_state()
        if any(state[key] != mine[key] for key in ("frozen", "vocabulary", "weights")):
            raise CheckpointError(
                f"The checkpoint was made with the text encoder {_describe(state)}, this model has {_describe(mine)}.",
                "Pass the `--model.encoder` and the freezing of the checkpoint's own config.yaml.",
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

    def _place(self, device: torch.device | str | None) -> torch.device:
        """Where to work. A frozen backbone follows, as `Module.to` does not reach it."""
        here = next(self._backbone.parameters()).device
        there = here if device is None else torch.device(device)
        if there.type == here.type and there.index in (None, here.index):
            return here
        if self.frozen:
            with torch.inference_mode(False), torch.no_grad():  # weights made in inference mode cannot train others
                self._backbone.to(there)
            return next(self._backbone.parameters()).device
        return there

    def _encoded(self, strings: Sequence[str], stop: int | None, device: torch.device | str | None) -> TextTokens:
        """N strings after `stop` layers, or to the end where it is None; from the cache where one may be used."""
        strings = list(strings)
        if not strings:
            raise TextError(f"No strings for the text encoder '{self.name}'.", 'Give at least one string, or "".')
        place = self._place(device)
        if self.frozen or not (self.training or torch.is_grad_enabled()):
            return self._cached(strings, stop, place)
        self._caches.clear()  # gradients are asked for, so the weights are about to change
        distinct = list(dict.fromkeys(strings))
        return spread(self._encode(distinct, stop, place), distinct, strings)

    def _encode(self, strings: Sequence[str], stop: int | None, device: torch.device) -> TextTokens:
        hidden, mask = self.embed(strings, device)
        hidden = self.run_layers(hidden, mask, 0, self.depth if stop is None else stop)
        # on the way there is no pooled vector yet
        return self._backbone.finish(hidden, mask) if stop is None else TextTokens(hidden, mask, hidden[:, 0, :0])

    def _cached(self, strings: Sequence[str], stop: int | None, device: torch.device) -> TextTokens:
        """Encode what the cache lacks: frozen in full precision, trained in the precision of the caller."""
        autocast = torch.is_autocast_enabled(device.type)
        precision = torch.get_autocast_dtype(device.type) if autocast and not self.frozen else None
        if precision != self._precision:
            self._caches.clear()
            self._precision = precision
        cache = self._caches.setdefault(stop, StringCache())
        new = cache.missing(strings)
        # out of inference mode: what is cached during validation is used in training afterwards
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            torch.autocast(device.type, enabled=autocast and not self.frozen),
        ):
            for start in range(0, len(new), _CHUNK):
                chunk = new[start : start + _CHUNK]
                cache.put(chunk, self._encode(chunk, stop, device))
        return cache.gather(strings, device)


def _describe(state: dict[str, Any]) -> str:
    kind = f"frozen, weights {state['weights'][:12]}" if state["frozen"] else "trained"
    return f"'{state['encoder']}' ({kind}, vocabulary {state['vocabulary'][:12]})"


def build_text_encoder(name: str, freeze: bool | None = None) -> TextEncoder:
    """The text encoder of a name or of a local folder.

    Args:
        name: A name of `zoo list encoders`, or a folder: one written by `save_pretrained` with a BERT
            and its tokeniser, or one with `open_clip_config.json` and weights.
        freeze: Frozen and cached, or trained with the model. Without it what the card says: only
            `tiny` is trained.

    Raises:
        UnknownNameError: Neither a name nor a folder.
        TextError: The weights cannot be had or read.

    Example:
        >>> build_text_encoder("tiny", freeze=True).frozen
        True
    """
    from zoo.encoders import huggingface as hf
    from zoo.encoders import openclip as clip
    from zoo.encoders import tiny

    folder = Path(name).expanduser()
    if name not in ENCODERS and folder.is_dir():
        load = clip.load_folder if (folder / clip.CONFIG).is_file() else hf.load_folder
        return TextEncoder(load(folder), name, "local", frozen=freeze is not False)
    config = ENCODERS.get(name).config
    frozen = bool(config.get("freeze", True)) if freeze is None else freeze
    loaders = {"hf": hf.load, "open_clip": clip.load, "tiny": tiny.load}
    if config.get("kind") not in loaders:
        raise TextError(f"The card of the text encoder '{name}' has kind {config.get('kind')!r}.", f"Use {[*loaders]}.")
    backbone, revision = loaders[config["kind"]](config, frozen)
    return TextEncoder(backbone, name, revision, frozen=frozen)
