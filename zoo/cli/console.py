"""The terminal: one console for results, plain log lines for progress, known noise of libraries filtered."""

from __future__ import annotations

import logging
import os
import warnings

from rich.console import Console
from rich.table import Table

console = Console(highlight=False, soft_wrap=False)
"""Results go to standard output through this console; log lines go to standard error."""

_WIDE = 1000

_NOISE = (
    ".*does not have many workers.*",  # the number of workers is the user's choice and a machine matter
    ".*is smaller than the logging interval.*",  # epochs are short by design: samples between validations
    ".*Experiment logs directory .* exists and is not empty.*",  # `History` keeps the earlier rows
    ".*Checkpoint directory .* exists and is not empty.*",  # the run folder was checked before
    ".*is not a resumable.*|.*dataloader is not resumable.*",  # draws are functions of (seed, number)
    ".*Using `DistributedSampler` with the dataloaders.*",  # evaluation samplers are exact-once
    ".*LeafSpec.*is deprecated.*",  # torch's own, from inside Lightning
    ".*`broadcast_buffers` is deprecated.*",  # its successor is not in torch 2.11
    ".*callbacks used to create the checkpoint need to be provided.*",  # evaluation needs none of them
    ".*Consider setting `persistent_workers=True`.*",
    ".*in eval mode at the start of training.*",  # a frozen text encoder is, by design
    ".*GPU available but not used.*",  # --trainer cpu is a choice
    ".*You are using `torch.load` with `weights_only=False`.*",
    ".*`srun` command is available.*",  # `srun zoo fit` or `zoo bench run --launcher slurm`: the user chooses
    ".*non-tuple sequence for multidimensional indexing.*",  # MONAI's sliding window
)


def print_table(table: Table) -> None:
    """Prints a table as wide as the terminal; in a file or pipe no cell is wrapped, so that `grep` finds it whole."""
    wide = console if console.is_terminal else Console(highlight=False, width=_WIDE)
    wide.print(table)


def set_up_logging() -> None:
    """Sets up one-line logging to standard error and filters what libraries say at length.

    To be called again after Lightning was imported, which sets its own levels.
    """
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        root.addHandler(handler)
    for name in ("zoo", "datamodules", "benchmarks"):
        logging.getLogger(name).setLevel(logging.INFO)
    # Tips and hardware banners of many lines; its warnings and errors remain.
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.handlers.clear()  # its own beside the root's would say everything twice
        logger.propagate = True
    for pattern in _NOISE:
        warnings.filterwarnings("ignore", message=pattern)
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # five tries without a network, each told twice
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # silences a warning after each fork of a worker
