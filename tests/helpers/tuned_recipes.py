"""Tuned recipes as `zoo bench tune` writes them, without any training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.recipes import recipe_name, write_recipe


def write_tuned(
    folder: Path,
    model: str = "unet",
    data: str = "phantom_chest",
    size: str = "tiny",
    trials: int = 8,
    split_hash: str = "",
    **values: Any,
) -> Path:
    """Write the recipe of a model: `values` are arguments of the model, by default another learning rate."""
    search = {
        "points_seed": 0,
        "seeds": [0],
        "trials": trials,
        "budget": {"samples": 64, "batch_size": 8},
        "split_hash": split_hash,
    }
    tuned = {
        "model": model,
        "data": data,
        "size": size,
        "encoder": "",
        "measure": "val/dice of best.ckpt",
        "trials": trials,
        "best": 2,
        "value": 0.5,
        "search": search,
        "table": [{"trial": 1, "values": {"lr": 0.1}, "val_dice": [0.5], "mean": 0.5}],
        "versions": {"torch": "2"},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / recipe_name(model, data, size)
    layer = {"model": {"init_args": values or {"lr": 0.0123}}}
    path.write_text(write_recipe("tuned", tuned, layer), encoding="utf-8")
    return path
