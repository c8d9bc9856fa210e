"""The commands of `zoo`: those of its own, each with a line about it, and those of other packages."""

from __future__ import annotations

from zoo.utils.entry_points import EntryPoint, list_points

RUN = {
    "fit": "train a model on a data set, or continue an interrupted run",
    "validate": "score a checkpoint of a run on the validation cases",
    "test": "score a checkpoint of a run on the test cases, one row per case and class",
    "predict": "write one label image per case",
}
COST = {"profile": "measure parameters, operations, time and memory"}
USE = {
    "segment": "segment new images with a trained model and a text",
    "app": "a local page: drop an image, type a sentence, see the mask",
    "export": "write a trained model as ONNX, an exported program or safetensors",
}
SHARE = {
    "push": "pack a trained run for others: into a folder or onto a hub",
    "pull": "fetch a packed model, and compare each file with its SHA-256",
}
INFO = {
    "list": "list the installed models, data, encoders and trainers",
    "show": "print the card of a model, data set or encoder",
    "env": "print versions and settings, for a bug report",
    "completion": "print the completion of a shell: bash, zsh or tcsh",
}


def plugin_points() -> dict[str, EntryPoint]:
    """Return the commands that installed packages declare in the entry point group `zoo.commands`, by name."""
    points, _ = list_points("zoo.commands")
    return {point.name: point for point in points}
