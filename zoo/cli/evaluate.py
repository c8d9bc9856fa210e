"""`zoo validate|test|predict`, from the words of a command to the files in the run folder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo.cli.console import console
from zoo.cli.help import print_help
from zoo.cli.process import load_lightning, prepared_process, print_config
from zoo.config import Composed, Config
from zoo.engine.arguments import Request, compose_request, parse
from zoo.engine.early_checks import check_early
from zoo.engine.evaluation_options import check_evaluation_options
from zoo.engine.refusals import explain_errors
from zoo.engine.run_folder import RunFolder, default_folder
from zoo.engine.run_seals import check_run, choose_checkpoint, describe_origin
from zoo.errors import ConfigError
from zoo.utils.activity import set_activity

if TYPE_CHECKING:
    from zoo.callbacks.predictions import Predictions
    from zoo.callbacks.scores import Scores
    from zoo.engine.lightning_cli import ZooCLI

EVALUATION_FLAGS = ("data.text", "data.init_args.text", "data.root", "data.num_workers")
"""Flags that change how a run is evaluated and do not change which run it is."""


def main(verb: str, argv: list[str]) -> int:
    """Evaluate a run.

    Args:
        verb: "validate", "test" or "predict".
        argv: The words after the verb.

    Returns:
        The exit code.
    """
    request = parse(verb, argv)
    if request.help:
        print_help(request)
        return 0
    with prepared_process():
        composed = compose_request(request)
        check_early(request, composed)
        cli = load_lightning().from_request(request, composed)
        if request.print_config:
            print_config(cli)
        else:
            evaluate(cli, composed, request, request.run_folder or _find_run(cli, composed, request))
    return 0


def evaluate(cli: ZooCLI, composed: Composed, request: Request, folder: RunFolder) -> None:
    """Run `validate`, `test` or `predict` with a checkpoint of a run.

    Args:
        cli: The parsed command.
        composed: Its merged layers.
        request: The command.
        folder: The folder of the run.

    Raises:
        ZooError: The run, its checkpoint, or an option does not fit.
    """
    from zoo.callbacks.overlays import Overlays
    from zoo.callbacks.predictions import Predictions
    from zoo.callbacks.progress import ProgressLines
    from zoo.callbacks.scores import Scores

    config = cli.resolved()
    changed = check_evaluation_options(request, folder.path, composed.config, config, folder.read_config())
    manifest = check_run(folder)
    checkpoint = choose_checkpoint(folder, request.ckpt, manifest)
    text = text_control(config)
    origin = describe_origin(folder, checkpoint, manifest) if request.verb == "test" else {}
    scores = Scores(folder.scores(text), folder.manifest, changed, origin)
    predictions = Predictions(folder.predictions(text), manifest)
    # The overlays stand before the scores, because the score file says that the test is done.
    overlays = [Overlays(folder.overlays)] if request.verb == "test" and text == "true" else []
    set_activity("building the model")
    cli.build(
        callbacks=[*overlays, ProgressLines(), scores, predictions],
        default_root_dir=str(folder.path),
        enable_checkpointing=False,
    )
    if request.conventions:
        set_conventions(cli.model, request)
    arguments: dict[str, Any] = {"datamodule": cli.datamodule, "ckpt_path": checkpoint, "weights_only": True}
    with explain_errors(folder, cli.flags):
        if request.verb == "validate":
            cli.trainer.validate(cli.model, verbose=False, **arguments)
        elif request.verb == "test":
            cli.trainer.test(cli.model, verbose=False, **arguments)
        else:
            cli.trainer.predict(cli.model, return_predictions=False, **arguments)
    if cli.trainer.is_global_zero:
        _print_results(cli, request.verb, scores, predictions)


def set_conventions(model: Any, request: Request) -> None:
    """Tell the model which further conventions its test scores by.

    Raises:
        ConfigError: The model scores in a way of its own.
    """
    from zoo.metrics.scored_cases import ScoredCases

    scores = getattr(model, "test_scores", None)
    if not isinstance(scores, ScoredCases):
        raise ConfigError(
            f"--convention: {type(model).__name__} scores its test itself.",
            "Leave it out, or pass `conventions` to `zoo.metrics.score_case` in its test_step.",
        )
    scores.conventions = request.conventions


def text_control(config: Config) -> str:
    """Return the text control of a configuration, one of `zoo.text.controls.CONTROLS`."""
    return (config["data"].get("init_args") or {}).get("text") or "true"


def _find_run(cli: ZooCLI, composed: Composed, request: Request) -> RunFolder:
    """Return the default folder of the run that `zoo fit` with the same options would train.

    Raises:
        RunError: There is no such run.
    """
    trained = tuple(flag for flag in request.flags if flag[0] not in EVALUATION_FLAGS)
    if trained != request.flags:
        cli = load_lightning().from_request(replace(request, flags=trained), composed)
    folder = default_folder(composed, cli.resolved())
    folder.read_config()
    return folder


def _print_results(cli: ZooCLI, verb: str, scores: Scores, predictions: Predictions) -> None:
    if verb == "test":
        from zoo.cli.score_table import print_scores

        print_scores(scores.path)
    elif verb == "predict":
        facts: Any = cli.model.facts
        names = facts.labels.names  # in the order of the numbers in the label image, not of the raw labels
        numbers = ", ".join(f"{number} {name}" for number, name in enumerate(names, start=1))
        classes = f": {numbers}" if len(names) > 1 else ""
        groups = {predictions.folder: predictions.written}
        groups[predictions.folder_of_unlabelled] = predictions.written_unlabelled
        for path, count in groups.items():
            if count or not any(groups.values()):
                console.print(f"{count} label images in {path}{classes}", soft_wrap=True)
    else:
        console.print("  ".join(f"{key} {float(value):.4f}" for key, value in cli.trainer.callback_metrics.items()))
