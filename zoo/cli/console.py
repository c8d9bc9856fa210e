"""The terminal: a console for results, log lines for progress, and filters for known warnings of libraries."""

from __future__ import annotations

import logging
import os
import warnings

from rich.table import Table

from zoo.utils.printing import KEPT
from zoo.utils.safe_text import to_printable
from zoo.utils.terminal import SafeConsole

console = SafeConsole(soft_wrap=False)
"""The console for results, on standard output; log lines go to standard error."""

_WIDE = 1000

_IGNORED_WARNINGS = (
    ".*does not have many workers.*",  # the user chooses the number of workers for the machine
    ".*is smaller than the logging interval.*",  # an epoch is the samples between two validations and short by design
    ".*Experiment logs directory .* exists and is not empty.*",  # `History` keeps the earlier rows
    ".*Checkpoint directory .* exists and is not empty.*",  # the run folder was checked before
    ".*is not a resumable.*|.*dataloader is not resumable.*",  # draws are functions of (seed, number)
    ".*Using `DistributedSampler` with the dataloaders.*",  # evaluation samplers are exact-once
    ".*LeafSpec.*is deprecated.*",  # a use of torch within Lightning
    ".*`broadcast_buffers` is deprecated.*",  # torch 2.11 lacks the successor
    ".*callbacks used to create the checkpoint need to be provided.*",  # evaluation does not need them
    ".*Consider setting `persistent_workers=True`.*",
    ".*in eval mode at the start of training.*",  # a frozen text encoder is, by design
    ".*GPU available but not used.*",  # --trainer cpu is a choice
    ".*You are using `torch.load` with `weights_only=False`.*",
    ".*`srun` command is available.*",  # the user chooses `srun zoo fit` or `zoo bench run --launcher slurm`
    ".*non-tuple sequence for multidimensional indexing.*",  # MONAI's sliding window
)


class _PrintableFormatter(logging.Formatter):
    """Formats a log record with escapes in place of control characters; line ends stay."""

    def format(self, record: logging.LogRecord) -> str:
        return to_printable(super().format(record), KEPT)


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal; in a file or pipe no cell is wrapped, so that `grep` finds it."""
    wide = console if console.is_terminal else SafeConsole(width=_WIDE)
    wide.print(table)


def print_text(line: str) -> None:
    """Print one line as it is, without marks of rich."""
    console.print(line, markup=False, soft_wrap=True)


def set_up_logging() -> None:
    """Log one line per message to standard error, and filter long messages of libraries.

    Call it again after the import of Lightning, which sets its own levels.
    """
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_PrintableFormatter("%(message)s"))
        root.addHandler(handler)
    for name in ("zoo", "datamodules", "benchmarks"):
        logging.getLogger(name).setLevel(logging.INFO)
    # Hides tips and lists of hardware; warnings and errors remain.
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.handlers.clear()  # with the handlers of the root logger, each message would appear twice
        logger.propagate = True
    logging.getLogger("lightning.pytorch.profilers").setLevel(logging.INFO)  # the report of --trainer.profiler
    for pattern in _IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", message=pattern)
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # without a network, it reports each of five attempts twice
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # avoids a warning after each fork of a worker
