"""`--size planned`: the layer that the planner makes of the training cases of a data set."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from zoo.cards import ModelCard
from zoo.config import Config
from zoo.errors import ConfigError
from zoo.planner.blueprint import Plan
from zoo.planner.presets import PRESETS
from zoo.sizes import PLANNED
from zoo.utils.config_values import with_values
from zoo.utils.plugins import import_object

FOREGROUND = 1 / 3
"""nnU-Net's share of the patches around a foreground voxel."""


def plan_size(
    config: Config, card: ModelCard, size: str, flags: Sequence[tuple[str, str]] = ()
) -> tuple[Plan, Mapping[str, Any]]:
    """Plan a network for the training cases of the protocol and fold of a command.

    Args:
        config: All layers without the plan.
        card: The card of the model.
        size: "planned", or "planned-" with a preset of the planner.
        flags: The flags of the command; they choose the folder of the data, the protocol and the fold.

    Returns:
        The plan, and its layer of the configuration. Its key `plan` has the hashes of the plan, of the summary and of
        the split, so that they are part of the identity of a run.

    Raises:
        ConfigError: The network of the model cannot follow from the data, or the data set gives no summary.
        DataError: There is no summary of the training cases; the message has the command that makes one.
    """
    from zoo.planner.planning import plan  # numpy and jsonargparse, which the listing commands do not load
    from zoo.utils.class_args import argument_names, convert_arguments

    preset = choose_preset(card, size)
    section = with_values(config, flags).get("data") or {}
    kind = import_object(str(section.get("class_path", "")))
    if not hasattr(kind, "training_summary"):
        raise ConfigError(
            f"--size {size}: {section.get('class_path')} cannot say what its training cases are.",
            "Use a data set of the zoo, or a subclass of its SegDataModule.",
        )
    accepted = argument_names(kind)
    known = {name: value for name, value in (section.get("init_args") or {}).items() if name in accepted}
    data = kind(**convert_arguments(kind, known, "--data.", "See `zoo fit --help`."))
    summary = data.training_summary()
    found = plan(summary, preset)
    if (
        "spacing" not in accepted
        and len(found.patch) == 3
        and any(grid.spacing != found.spacing for grid in summary.grids)
    ):
        raise ConfigError(
            f"--size {size}: {section.get('class_path')} does not resample its volumes, so that no voxel size can be "
            "planned.",
            "Give the data set the argument `spacing`, as `datamodules.bases.volume.VolumeDataModule` has it.",
        )
    record = {"preset": preset, "hash": found.hash, "summary": summary.hash, "split": data.split_hash}
    return found, {"model": fill_model(found), "data": fill_data(found, accepted), "plan": record}


def choose_preset(card: ModelCard, size: str) -> str:
    """Return the preset of the planner of a planned size.

    Raises:
        ConfigError: The network of the model cannot follow from the data, or its card has presets of another kind.

    Example:
        >>> choose_preset(ModelCard("resenc_unet", planned="M"), "planned-L")
        'L'
    """
    if card.planned not in PRESETS:
        raise ConfigError(
            f"--size {size}: the shape of the network of '{card.name}' does not follow from the data.",
            "Use --size published; `planned: PRESET` in a card says that a model takes a plan.",
        )
    preset = size.removeprefix(PLANNED).removeprefix("-") or card.planned
    if PRESETS[preset].residual != PRESETS[card.planned].residual:
        fitting = [name for name, one in PRESETS.items() if one.residual == PRESETS[card.planned].residual]
        raise ConfigError(
            f"--size {size}: the preset {preset} has other blocks than the network of '{card.name}'.",
            f"Use --size {' or '.join(f'{PLANNED}-{name}' for name in fitting)}.",
        )
    return preset


def fill_model(found: Plan) -> dict[str, Any]:
    """Return the layer of the model: its shape, and what Dice is computed over."""
    shape = {name: [list(stage) for stage in getattr(found, name)] for name in ("strides", "kernels")}
    shape |= {name: list(getattr(found, name)) for name in ("features", "blocks")}
    loss = {"dice_per": "batch" if found.batch_dice else "image"}
    return {"init_args": {**shape, "decoder_convs": found.decoder_convs[0] if found.decoder_convs else 1, "loss": loss}}


def fill_data(found: Plan, accepted: Container[str]) -> dict[str, Any]:
    """Return the layer of the data, with the arguments that its class accepts."""
    values: dict[str, Any] = {
        "patch": list(found.patch),
        "batch_size": found.batch_size,
        "spacing": list(found.spacing),
        "augment": "full",
        "foreground_share": FOREGROUND,
    }
    first = found.normalisation[0].intensities
    if first is not None and len(found.normalisation) == 1:
        values["window"] = [first.low, first.high]
    return {"init_args": {name: value for name, value in values.items() if name in accepted}}
