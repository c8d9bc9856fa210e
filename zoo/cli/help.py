"""What `zoo --help` says: the commands, ours and other distributions', and the options of a run."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from zoo import __version__

RUN = {
    "fit": "train a model on a data set, or go on where an interrupted run stopped",
    "validate": "score a run's checkpoint on the validation cases",
    "test": "score a run's checkpoint on the test cases, one row a case and class",
    "predict": "write one label image a case",
}
COST = {"profile": "parameters, operations, time and memory of a step and a case  [--repeats N] [--json]"}
INFO = {
    "list": "models, data, encoders or trainers that are installed  [--json]",
    "show": "everything the card of a model, data set or encoder says",
    "env": "versions and settings, for a bug report",
}


def plugin_points() -> dict[str, EntryPoint]:
    """The commands that installed distributions declare in the entry point group `zoo.commands`, by name."""
    return {point.name: point for point in entry_points(group="zoo.commands")}


def usage() -> str:
    """The help text; the options of a model or data set are in `--print_config`."""
    commands = RUN | COST | INFO | {name: f"`zoo {name} --help`" for name in plugin_points()}
    listed = "\n".join(f"  {name:<10}{text}" for name, text in commands.items())
    return f"zoo {__version__}: text-guided medical image segmenters on one footing\n\nCommands:\n{listed}\n{OPTIONS}"


OPTIONS = """
zoo fit --model NAME --data NAME [options]; validate, test and predict take the same, or --out DIR alone.

  --model NAME       a name of `zoo list models`, a card's file or a dotted class
  --data NAME        a name of `zoo list data`, a card's file or a dotted class
  --size SIZE        tiny or published (default: published; tiny under --trainer cpu and debug)
  --trainer PRESET   cpu, gpu, ddp, debug or a file (default: auto, what Lightning finds);
                     debug is a few steps of fit, validate and test
  --out DIR          folder of the run (default: runs/<data>/<model>-<size>/<hash>-s<seed>)
  --seed N           seed of everything random (default: 0)
  --ckpt FILE        checkpoint to evaluate (default: the run's best, else its last)
  -c FILE            further configuration, over cards, recipe and preset; repeatable
  --print_config     print the resolved configuration and stop
  --model.KEY VALUE  --data.KEY VALUE  --trainer.KEY VALUE: any argument of the three, over everything else

The same command again with the same --out goes on where an interrupted run stopped.
"""
