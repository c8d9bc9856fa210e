"""`--logger` and `--overlays`: loggers of Lightning beside `metrics.csv`, with the names and folders of a run."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from zoo.callbacks.logged_overlays import LoggedOverlays
from zoo.config import Composed
from zoo.engine.refusals import explain_construction
from zoo.engine.run_folder import RunFolder
from zoo.errors import ConfigError
from zoo.settings import offline
from zoo.utils.extras import advise_extra
from zoo.utils.hashing import hash_json

log = logging.getLogger(__name__)

_EVERY = 5
"""Epochs between two pictures of a case, unless the user says otherwise."""


def make_loggers(names: Iterable[str], folder: Path, composed: Composed) -> list[Logger]:
    """Make the loggers of a run. They write into its folder unless their own variables name a server.

    Args:
        names: Names of `zoo.engine.options.LOGGERS`; "csv" is `metrics.csv`, which every run has.
        folder: The run folder.
        composed: The layers of the run; the names of model and data are those of the experiment.

    Raises:
        ConfigError: The package of a logger is not installed, or refuses its arguments.
    """
    if (
        getattr(rank_zero_only, "rank", 0) != 0
    ):  # the first process logs alone, and one process makes the database of MLflow
        return []
    loggers: list[Logger] = []
    for name in dict.fromkeys(names):
        if name == "csv":
            continue
        with explain_construction([("logger", name)]):
            try:
                loggers.append(_make_logger(name, folder, composed))
            except ModuleNotFoundError as error:
                problem = f"--logger {name}: the package {name} is not installed."
                raise ConfigError(problem, advise_extra("loggers")) from error
    return loggers


def make_overlays(every: int | None, names: Iterable[str], composed: Composed) -> list[Callback]:
    """Make the callback of `--overlays`.

    Without the option, a run with a logger has pictures every five epochs, unless they would leave this machine
    although the terms of the data do not allow to publish images.

    Args:
        every: Value of `--overlays`; None if it is not given.
        names: Values of `--logger`.
        composed: The layers of the run.

    Raises:
        ConfigError: The option is given without a logger that takes pictures.
    """
    able = [name for name in names if name != "csv"]
    if every and not able:
        raise ConfigError(f"--overlays {every}: no logger takes pictures.", "Add --logger tensorboard.")
    if every == 0 or not able:
        return []
    if every is None and not composed.publish.allows("images") and any(map(_leaves_machine, able)):
        log.info("No pictures for %s: %s", ", ".join(able), composed.publish.explain("images", composed.data))
        return []
    return [LoggedOverlays(every or _EVERY)]


def _leaves_machine(name: str) -> bool:
    """Return whether a logger sends what it gets to a server."""
    if name == "wandb":
        return not offline()
    return name == "mlflow" and os.environ.get("MLFLOW_TRACKING_URI", "").startswith("http")


def _make_logger(name: str, folder: Path, composed: Composed) -> Logger:
    run = f"{composed.model}-{composed.size} {folder.name}"
    if name == "tensorboard":
        return TensorBoardLogger(save_dir=str(folder), name=name, version="")
    if name == "wandb":
        return WandbLogger(
            name=run,
            save_dir=str(folder),
            version=hash_json(str(folder.absolute()))[:16],  # a resumed run continues its own record
            project=os.environ.get("WANDB_PROJECT", "textseg-zoo"),
            group=composed.data,
            offline=offline(),
            resume="allow",
        )
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.absolute()}/mlflow.db"
    with RunFolder(folder).opened():  # MLflow makes its database at once
        return MLFlowLogger(
            experiment_name=composed.data,
            run_name=run,
            tracking_uri=uri,
            artifact_location=str(folder.absolute() / name),
        )
