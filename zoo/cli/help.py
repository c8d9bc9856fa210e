"""The text of `zoo --help`: our commands, those of other packages, and the options of a run."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from zoo import __version__

RUN = {
    "fit": "train a model on a data set, or continue an interrupted run",
    "validate": "score a checkpoint of a run on the validation cases",
    "test": "score a checkpoint of a run on the test cases, one row per case and class",
    "predict": "write one label image per case",
}
COST = {"profile": "measure parameters, operations, time and memory  [--repeats N] [--json]"}
INFO = {
    "list": "list the installed models, data, encoders or trainers  [--json]",
    "show": "print the card of a model, data set or encoder",
    "env": "print versions and settings, for a bug report",
}


def plugin_points() -> dict[str, EntryPoint]:
    """Return the commands that installed packages declare in the entry point group `zoo.commands`, by name."""
    return {point.name: point for point in entry_points(group="zoo.commands")}


def usage() -> str:
    """Return the help text; `--print_config` has the options of a model or data set."""
    commands = RUN | COST | INFO | {name: f"`zoo {name} --help`" for name in plugin_points()}
    listed = "\n".join(f"  {name:<10}{text}" for name, text in commands.items())
    return f"zoo {__version__}: compare text-guided medical image segmentation models\n\nCommands:\n{listed}\n{OPTIONS}"


OPTIONS = """
zoo fit --model NAME --data NAME [options]; validate, test and predict take the same options, or --out DIR only.

  --model NAME       a name of `zoo list models`, the file of a card, or a dotted class
  --data NAME        a name of `zoo list data`, the file of a card, or a dotted class
  --size SIZE        tiny or published (default: published; tiny under --trainer cpu and debug)
  --trainer PRESET   cpu, gpu, ddp, debug or a file (default: auto, the choice of Lightning);
                     debug runs a few steps of fit, validate and test
  --out DIR          folder of the run (default: runs/<data>/<model>-<size>/<hash>-s<seed>)
  --seed N           seed of all random numbers (default: 0)
  --ckpt FILE        checkpoint to evaluate (default: the best of the run, else the last)
  -c FILE            more configuration; overrides cards, recipe and preset; repeatable
  --print_config     print the resolved configuration and stop
  --model.KEY VALUE  --data.KEY VALUE  --trainer.KEY VALUE: any argument of the three; overrides everything else

The same command with the same --out continues an interrupted run.
"""
