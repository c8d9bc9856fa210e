"""Checks of the options that all data sets have."""

from __future__ import annotations

from datamodules.augment import PRESETS
from datamodules.bases.memory import check_fits
from datamodules.index.card import DataCard
from zoo.errors import ConfigError, UnknownNameError
from zoo.text.controls import CONTROLS
from zoo.text.wordings import COUNT, find_wordings

MAX_WORKERS = 1024
"""More processes than this are a slip of the keyboard, and use up the memory before torch reports anything."""


def check_options(
    card: DataCard,
    patch: tuple[int, ...],
    batch_size: int,
    epoch_samples: int,
    augment: str,
    text: str,
    num_workers: int = 0,
    val_cases: int | None = None,
    foreground_share: float = 0.0,
) -> None:
    """Check the options of a data set against its card; see `SegDataModule` for what each means.

    Raises:
        UnknownNameError: There is no such augmentation or text control.
        ConfigError: The patch does not fit the images or the memory, an epoch is shorter than a batch, the number of
            workers is negative or far beyond what a machine can run, no case would be validated, or a share is
            beyond [0, 1].
    """
    if augment not in PRESETS:
        raise UnknownNameError("--data.augment", augment, PRESETS, f"zoo show {card.name}")
    if text not in CONTROLS:
        raise UnknownNameError("--data.text", text, CONTROLS, f"zoo show {card.name}")
    if len(patch) != card.spatial_dims or min(patch) < 1:
        raise ConfigError(
            f"--data.patch {list(patch)} does not fit {card.name}.", f"Give {card.spatial_dims} positive numbers."
        )
    check_fits(patch, "--data.patch")
    if not 0 <= num_workers <= MAX_WORKERS:
        raise ConfigError(
            f"--data.num_workers {num_workers}: it is a number from 0 to {MAX_WORKERS}.",
            "Give the number of cores, or 0 to load in the process itself.",
        )
    if val_cases is not None and val_cases < 1:
        raise ConfigError(
            f"--data.val_cases {val_cases}: no case would be validated.", "Give 1 or more, or null for all val cases."
        )
    if not 0 <= foreground_share <= 1:
        raise ConfigError(
            f"--data.foreground_share {foreground_share} is not between 0 and 1.", "nnU-Net has 0.33, the zoo 0.67."
        )
    if not 0 < batch_size <= epoch_samples:
        raise ConfigError(
            f"--data.epoch_samples {epoch_samples} holds no batch of {batch_size}.", "Raise it to one batch or more."
        )


def check_wordings(card: DataCard, wordings: int | None) -> None:
    """Check the number of wordings that a training draws among.

    Raises:
        ConfigError: The data set has reports or no wordings, or no wording would be left for the test.
        TextError: The file of the wordings has a fault.
    """
    if wordings is None:
        return
    asked = f"--data.wordings {wordings}"
    if not 1 <= wordings < COUNT:
        fix = f"Give 1 to {COUNT - 1}, or null: the test reads the wordings that training does not draw."
        raise ConfigError(f"{asked}: it is a number from 1 to {COUNT - 1}.", fix)
    if card.has_reports:
        raise ConfigError(f"{asked}: {card.name} has a report per case, and wordings are of classes.", "Leave it out.")
    if find_wordings(card.prompts, tuple(card.classes)) is None:
        problem = f"{asked}: there are no wordings for the prompts '{card.prompts}' of {card.name}."
        raise ConfigError(problem, "Leave it out; `docs/open_text.md` lists the data sets that have some.")
