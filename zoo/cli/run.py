"""`zoo fit|validate|test|predict`, from the words of a command to the files in the run folder."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from zoo.cli.console import console, set_up_logging
from zoo.cli.fit import fit, read_initial_weights
from zoo.cli.help import print_help
from zoo.config import Composed, Config
from zoo.engine.arguments import Request, compose_request, parse
from zoo.engine.evaluation_options import check_evaluation_options
from zoo.engine.refusals import explain_errors
from zoo.engine.run_folder import RunFolder, State, default_folder
from zoo.engine.run_seals import check_run, choose_checkpoint, describe_origin
from zoo.errors import ConfigError, NotApplicableError, RunError
from zoo.utils.activity import report_activity, set_activity
from zoo.utils.literal_text import escape_interpolation

if TYPE_CHECKING:
    from zoo.callbacks.predictions import Predictions
    from zoo.callbacks.scores import Scores
    from zoo.engine.initial_weights import InitialWeights
    from zoo.engine.lightning_cli import ZooCLI

log = logging.getLogger(__name__)

EVALUATION_FLAGS = ("data.text", "data.init_args.text", "data.root", "data.num_workers")
"""Flags that change how a run is evaluated and do not change which run it is."""


def main(verb: str, argv: list[str]) -> int:
    """Run a verb.

    Args:
        verb: "fit", "validate", "test" or "predict".
        argv: The words after the verb.

    Returns:
        The exit code.
    """
    request = parse(verb, argv)
    if request.help:
        print_help(request)
        return 0
    prepare_process()
    with report_activity():
        try:
            return _run(request)
        except SystemExit as error:
            if isinstance(error.__context__, BrokenPipeError):
                raise
            problem = f"The code of the model, the data or a callback ended the program (exit code {error.code})."
            raise RunError(problem, "Correct this code; the command is not done.") from error


def _run(request: Request) -> int:
    composed = compose_request(request)
    weights = read_initial_weights(request, composed)
    cli = parse_request(request, composed, weights)
    config = cli.resolved()
    if request.print_config:
        print_config(cli)
        return 0
    _check_precision(config)
    if request.verb == "fit":
        folder = request.run_folder or default_folder(composed, config)
        if folder.state(config) is State.NEW:
            from zoo.engine.cost_gate import check_costs

            check_costs(composed, config, request.words, request.yes)
        if fit(cli, composed, request, folder, weights):
            _run_next_steps(composed, request, folder)
    else:
        _evaluate(cli, composed, request, request.run_folder or _find_run(cli, composed, request))
    return 0


def print_config(cli: ZooCLI) -> None:
    """Print the resolved configuration of a command as YAML."""
    sys.stdout.write(yaml.safe_dump(escape_interpolation(cli.resolved()), sort_keys=False, allow_unicode=True))


def prepare_process() -> None:
    """Set up logging, and protect new processes from a user's folder `zoo` or `benchmarks`.

    Ranks and workers are new processes; such a folder in the working directory must not hide our package there.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    set_up_logging()


def parse_request(request: Request, composed: Composed, weights: InitialWeights | None = None) -> ZooCLI:
    """Parse a command; nothing is built yet. The content of initial weights is part of the configuration."""
    set_activity("loading PyTorch and Lightning")
    from zoo.engine.lightning_cli import ZooCLI

    set_up_logging()  # again, because the import of Lightning sets its own log levels
    return ZooCLI.from_request(request, composed, [("init_from", weights.sha256)] if weights else [])


def _check_precision(config: Config) -> None:
    """Refuse, before a folder is made, a precision that would convert whole batches, with their label masks.

    Raises:
        ConfigError: The trainer's precision is neither full nor mixed.
    """
    precision = str(config["trainer"].get("precision") or "32")
    if precision not in ("16", "bf16", "32", "32-true") and not precision.endswith("-mixed"):
        raise ConfigError(
            f"--trainer.precision {precision} does not work with these models.", "Use bf16-mixed or 32-true."
        )


def _find_run(cli: ZooCLI, composed: Composed, request: Request) -> RunFolder:
    """Return the default folder of the run that `zoo fit` with the same options would train.

    Raises:
        RunError: There is no such run.
    """
    trained = tuple(flag for flag in request.flags if flag[0] not in EVALUATION_FLAGS)
    if trained != request.flags:
        cli = parse_request(replace(request, flags=trained), composed)
    folder = default_folder(composed, cli.resolved())
    folder.read_config()
    return folder


def _run_next_steps(composed: Composed, request: Request, folder: RunFolder) -> None:
    """Run the steps that the trainer preset asks for after `fit`, unless the run has their scores.

    A step is a verb, or a test with a text control: "test-blank". All share one process, so imports are paid once.
    """
    for step in composed.then:
        verb, _, text = step.partition("-")
        if text and composed.model_card.text == "none":
            continue
        flags = (*request.flags, ("data.text", text)) if text else request.flags
        asked = replace(request, verb=verb, flags=flags)
        cli = parse_request(asked, composed)
        if folder.scores(_text_control(cli.resolved())).is_file():
            continue
        try:
            _evaluate(cli, composed, asked, folder)
        except NotApplicableError as error:
            log.warning("%s is left out: %s", step, error)


def _text_control(config: Config) -> str:
    """Return the text control of a configuration: "true", "shuffled", "blank" or "names"."""
    return (config["data"].get("init_args") or {}).get("text") or "true"


def _evaluate(cli: ZooCLI, composed: Composed, request: Request, folder: RunFolder) -> None:
    """Run `validate`, `test` or `predict` with a checkpoint of a run."""
    from zoo.callbacks.overlays import Overlays
    from zoo.callbacks.predictions import Predictions
    from zoo.callbacks.progress import ProgressLines
    from zoo.callbacks.scores import Scores

    config = cli.resolved()
    changed = check_evaluation_options(request, folder.path, composed.config, config, folder.read_config())
    manifest = check_run(folder)
    checkpoint = choose_checkpoint(folder, request.ckpt, manifest)
    text = _text_control(config)
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
