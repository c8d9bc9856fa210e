"""The data sets that the initial weights of a model have seen, for the record of its run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from zoo.contamination import name_data, sets_of_encoder, sets_of_runs, sets_of_weights
from zoo.encoders.text import TextEncoder
from zoo.encoders.vision_weights import is_local


def find_pretraining_data(module: nn.Module, manifest: Mapping[str, Any]) -> list[str]:
    """Return the data sets that the cards of all initial weights of a model name, sorted.

    These are the text encoder, the weights of the vision encoder, and `--init-from`. A run on the same splits of the
    same data set has seen no further case.

    Args:
        module: The model.
        manifest: The other facts of the run: `data`, `data_title`, `split_hash`, `init_from`.

    Raises:
        ConfigError: The card of the weights has a wrong value.
    """
    seen: set[str] = set()
    for one in module.modules():
        if isinstance(one, TextEncoder):
            seen.update(sets_of_encoder(one.name))
    weights = str(getattr(module, "hparams", {}).get("vision_weights") or "")
    if weights and is_local(weights):
        seen.update(sets_of_weights(Path(weights).expanduser()))
    earlier = (manifest.get("init_from") or {}).get("trained_on") or ()
    seen.update(sets_of_runs(earlier, name_data(manifest), str(manifest.get("split_hash") or "")))
    return sorted(seen)
