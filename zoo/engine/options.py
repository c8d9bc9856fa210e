"""The options of the run commands, once for the parser, the help and the completion of the shell. No torch here."""

from __future__ import annotations

from typing import NamedTuple

from zoo.metrics.conventions import CONVENTIONS
from zoo.sizes import PLANNED_SIZES, SIZES

RUN_VERBS = ("fit", "validate", "test", "predict", "profile")
_RUN = RUN_VERBS[:-1]
_EVALUATE = ("validate", "test", "predict")
_FIT = ("fit",)

GROUPS = ("What to run", "Training", "Configuration", "Other")
"""The groups of the help, the most used first."""

LOGGERS = ("csv", "tensorboard", "wandb", "mlflow")
"""The values of `--logger`; `csv` is the file `metrics.csv`, which every run has."""


class Option(NamedTuple):
    """One option.

    Attributes:
        name: The option as it is typed: "--model".
        field: The field of `Request` that gets the value.
        value: Name of the value in the help; empty for a switch.
        text: What the option does, in one sentence.
        group: One of `GROUPS`.
        verbs: The commands that have the option.
        also: Other spellings.
        default: The value of an option that is given without one; empty where a value is needed.
        choices: The values that exist; empty where they are open.
    """

    name: str
    field: str
    value: str
    text: str
    group: str
    verbs: tuple[str, ...] = RUN_VERBS
    also: tuple[str, ...] = ()
    default: str = ""
    choices: tuple[str, ...] = ()

    @property
    def spellings(self) -> tuple[str, ...]:
        """The name and the other spellings."""
        return (self.name, *self.also)

    def takes(self, word: str) -> bool:
        """Whether a word behind the option is its value; asked where the option can do without one."""
        return word in self.choices or (not self.choices and word[:1].isdigit())


OPTIONS = (
    Option("--model", "model", "NAME", "name of `zoo list models`, file of a card, or dotted class", GROUPS[0]),
    Option("--data", "data", "NAME", "name of `zoo list data`, file of a card, or dotted class", GROUPS[0]),
    Option(
        "--size",
        "size",
        "SIZE",
        "tiny, published (default; tiny with --trainer cpu and debug), or planned: as the training cases ask for",
        GROUPS[0],
        choices=(*SIZES, *PLANNED_SIZES),
    ),
    Option(
        "--trainer",
        "preset",
        "PRESET",
        "cpu, gpu, gpu_fast, ddp, debug or a file (default: auto, the choice of Lightning); debug runs a few steps of "
        "fit, validate and test",
        GROUPS[0],
    ),
    Option(
        "--out",
        "out",
        "DIR",
        "folder of the run (default: runs/<data>/<model>-<size>/<hash>-s<seed>)",
        GROUPS[0],
        verbs=_RUN,
    ),
    Option("--seed", "seed", "N", "seed of all random numbers (default: 0)", GROUPS[0], also=("--seed_everything",)),
    Option(
        "--ckpt",
        "ckpt",
        "FILE",
        "checkpoint of the run to evaluate (default: the best, else the last)",
        GROUPS[0],
        verbs=_EVALUATE,
    ),
    Option(
        "--convention",
        "conventions",
        "NAME",
        "also score by the convention of surface-distance (DeepMind) or of the scorer of a challenge; repeatable",
        GROUPS[0],
        verbs=("test",),
        choices=CONVENTIONS,
    ),
    Option(
        "--precision",
        "precision",
        "NAME",
        "32-true, bf16-mixed or 16-mixed (default: 32-true; bf16-mixed with --trainer gpu)",
        GROUPS[1],
    ),
    Option(
        "--accumulate",
        "accumulate",
        "N",
        "batches per optimiser step; a batch is divided by N, so that a step has the same samples",
        GROUPS[1],
        verbs=_RUN,
    ),
    Option(
        "--ema",
        "ema",
        "[DECAY]",
        "average the weights over the steps; the average is validated and tested (default decay: 0.999)",
        GROUPS[1],
        verbs=_RUN,
        default="0.999",
    ),
    Option(
        "--early-stopping",
        "early_stopping",
        "[N]",
        "stop after N validations without a higher val/dice (default N: 10)",
        GROUPS[1],
        verbs=_RUN,
        default="10",
    ),
    Option(
        "--freeze",
        "freeze",
        "PART",
        "encoder: the vision encoder keeps the weights with which the run starts",
        GROUPS[1],
        verbs=_RUN,
        choices=("encoder",),
    ),
    Option(
        "--logger",
        "loggers",
        "NAME",
        "tensorboard, wandb or mlflow, besides metrics.csv, which every run has (csv); repeatable",
        GROUPS[1],
        verbs=_FIT,
        choices=LOGGERS,
    ),
    Option(
        "--find-lr",
        "find_lr",
        "",
        "print the learning rate at which the loss falls fastest, after 100 steps of a range test, and train nothing",
        GROUPS[1],
        verbs=_FIT,
    ),
    Option(
        "--overlays",
        "overlays",
        "[N]",
        "pictures of three validation cases in the loggers, every N epochs (default: 5 with a logger); 0 draws none",
        GROUPS[1],
        verbs=_FIT,
        default="5",
    ),
    Option(
        "--init-from",
        "init_from",
        "RUN|FILE|hub:NAME",
        "weights to start from where name and shape agree: a run folder, a checkpoint, a safetensors file or a package",
        GROUPS[1],
        verbs=_FIT,
    ),
    Option(
        "--yes",
        "yes",
        "",
        "start a training that the estimate puts above a day (a published size without a GPU)",
        GROUPS[1],
        verbs=_FIT,
    ),
    Option(
        "-c",
        "files",
        "FILE",
        "more configuration; overrides cards, recipe and preset; repeatable",
        GROUPS[2],
        also=("--config",),
    ),
    Option(
        "--print_config",
        "print_config",
        "",
        "print the resolved configuration and stop",
        GROUPS[2],
        verbs=_RUN,
    ),
    Option(
        "--help",
        "help",
        "[all]",
        "print the options; with --model or --data also theirs, with `all` also Lightning's",
        GROUPS[3],
        also=("-h",),
        default="options",
        choices=("all",),
    ),
)
"""Every option, in the order of the help. Dotted keys such as `--model.lr` are options of their classes."""

DOTTED = {
    "--model.KEY VALUE": "argument of the model, such as --model.lr 3e-4; `--help --model NAME` lists them",
    "--data.KEY VALUE": "argument of the data set, such as --data.root DIR; `--help --data NAME` lists them",
    "--trainer.KEY VALUE": "argument of Lightning's Trainer, such as --trainer.max_epochs 20; `--help all` lists them",
}
"""The forms of dotted keys. They override everything else."""


def find_option(typed: str) -> Option | None:
    """Return the option of a typed word; "-" and "_" within its name are the same.

    Example:
        >>> find_option("--print-config").name
        '--print_config'
    """
    return _BY_SPELLING.get(_spelling(typed))


def options_of(verb: str) -> tuple[Option, ...]:
    """Return the options of a command, in the order of the help."""
    return tuple(option for option in OPTIONS if verb in option.verbs)


def _spelling(word: str) -> str:
    return word[:2] + word[2:].replace("-", "_")


_BY_SPELLING = {_spelling(spelling): option for option in OPTIONS for spelling in option.spellings}
