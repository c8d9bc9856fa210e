"""What a manifest says of a training, in words: vision network, optimiser, loss, and what chose its checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from benchmarks.plan.job import MATCHED, Job

TRAINING = ("vision", "norm", "lr", "optimiser", "augment")
"""Conditions of a training that older versions have not recorded."""


def describe_loss(loss: Mapping[str, Any] | None) -> str:
    """Describe a segmentation loss; empty for a run that has not recorded it.

    Example:
        >>> describe_loss({"dice_per": "image", "dice": 1.0, "cross_entropy": 0.5})
        'Dice per image + 0.5 cross entropy'
    """
    if not loss:
        return ""
    dice = f"Dice per {loss.get('dice_per')}"
    dice += ", squared" if loss.get("squared") else ""
    dice += "" if loss.get("background", True) else ", without background"
    terms = [_weigh(loss.get("dice", 1.0), dice), _weigh(loss.get("cross_entropy", 1.0), "cross entropy")]
    return " + ".join(term for term in terms if term)


def describe_validation(validation: Mapping[str, Any] | None) -> str:
    """Describe which val cases are validated and how often; empty for a run that has not recorded it.

    Folds have different numbers of cases, so the text has the option and not the number.

    Example:
        >>> describe_validation({"val_cases": 128, "cases": 128, "epoch_samples": 800, "every_epochs": 2})
        '128 val cases at most, after every 1600 samples'
    """
    if not validation:
        return ""
    most = validation.get("val_cases")
    which = f"{most} val cases at most" if most else "all val cases"
    epoch, every = validation.get("epoch_samples"), validation.get("every_epochs")
    interval = f"after every {epoch * every} samples" if epoch and every else f"after every {every} epochs"
    limit = validation.get("limit_batches")
    return f"{which}, {interval}" + (f", limit_val_batches {limit}" if limit is not None else "")


def describe_training(job: Job, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the conditions of a training, empty where the manifest does not have them.

    Args:
        job: The job.
        manifest: Its manifest.

    Returns:
        The keys of `TRAINING`; `rates`, "one" or "tuned" for a matched job; `rate_source`; and the trainable parameters
        of the text path and of the decoder.
    """
    training, counts = manifest.get("training") or {}, manifest.get("parameters") or {}
    return {
        "vision": _describe_vision(training, str(manifest.get("frozen") or "")),
        "norm": str(training.get("norm") or ""),
        "lr": training.get("lr"),
        "optimiser": _describe_optimiser(training),
        "augment": str(training.get("augment") or ""),
        "rates": "" if job.settings.recipe != MATCHED else "tuned" if job.rate else "one",
        "rate_source": job.rate,
        "params_text_path": counts.get("text_path"),
        "params_decoder": counts.get("decoder"),
    }


def _weigh(weight: float, term: str) -> str:
    return "" if weight == 0 else term if weight == 1 else f"{weight:g} {term}"


def _describe_vision(training: Mapping[str, Any], frozen: str) -> str:
    name, weights = training.get("vision"), str(training.get("vision_weights") or "")
    sizes = [f"{key} {training[key]}" for key in ("width", "stages") if training.get(key) is not None]
    shown = [f"weights {PurePath(weights).name if PurePath(weights).is_absolute() else weights}"] if weights else []
    shown += ["frozen"] if frozen == "encoder" else []
    return ", ".join([str(name), *sizes, *shown]) if name else ""


def _describe_optimiser(training: Mapping[str, Any]) -> str:
    """Describe the optimiser; AdamW with a cosine, the default, has no name."""
    chosen = training.get("optimiser") or {}
    by_sgd = chosen.get("name") == "sgd"
    shown = [f"SGD momentum={chosen.get('momentum')}"] if by_sgd else []
    shown += [f"schedule=poly power={chosen.get('power')}"] if chosen.get("schedule") == "poly" else []
    return " ".join(filter(None, [*shown, _join(training, ("weight_decay", "warmup", "gradient_clip"))]))


def _join(values: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return " ".join(f"{key}={values[key]}" for key in keys if key in values)
