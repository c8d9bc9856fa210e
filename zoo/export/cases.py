"""The case that an export is checked on: one of the data of the run, or an image that the user names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from zoo.engine.arguments import compose_request, parse
from zoo.engine.lightning_cli import ZooCLI
from zoo.errors import ConfigError, ZooError
from zoo.export.parity import Case
from zoo.models.base import text_of
from zoo.segment.segmenter import Segmenter


def case_of_image(segmenter: Segmenter, image: Path, text: str | Mapping[str, str] | None, kind: str) -> Case:
    """Prepare an image of the user; see `Segmenter`."""
    read, _ = segmenter.choose_text(text)
    prepared = segmenter.prepare(image, kind=kind)
    return Case(str(image), torch.from_numpy(prepared.image)[None], read)


def case_of_data(segmenter: Segmenter, run: Path) -> Case:
    """Prepare the first validation case of the data of a run.

    Raises:
        ConfigError: The data are not at hand.
    """
    try:
        request = parse("validate", ["--out", str(run)])
        cli = ZooCLI.from_request(request, compose_request(request))
        cli.build(logger=False, enable_checkpointing=False)
        cli.datamodule.prepare_data()
        cli.datamodule.setup("validate")
        batch = next(iter(cli.datamodule.val_dataloader()))
    except ZooError as error:
        raise ConfigError(
            f"{run}: a case of its data is not at hand: {error.problem}", "Give an image with --image FILE."
        ) from error
    text = text_of(batch)
    if text.reports is not None:
        text = text._replace(reports=text.reports[:1])
    if not segmenter.reads_text:
        text = text._replace(reports=None)
    return Case(batch["case_id"][0], batch["image"][:1], text)
