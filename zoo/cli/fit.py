"""`zoo fit`, from the words of the command to the record of the trained run."""

from __future__ import annotations

import logging
import shlex
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from zoo.cli.console import console
from zoo.cli.evaluate import evaluate, text_control
from zoo.cli.help import print_help
from zoo.cli.process import load_lightning, prepared_process, print_config
from zoo.config import Composed, Config, config_hash
from zoo.engine.arguments import Request, compose_request, parse
from zoo.engine.early_checks import check_early
from zoo.engine.options import find_option
from zoo.engine.refusals import explain_errors
from zoo.engine.run_folder import RunFolder, State, default_folder
from zoo.engine.run_seals import check_run, seal_files
from zoo.errors import ConfigError, NotApplicableError
from zoo.utils.activity import set_activity

if TYPE_CHECKING:
    from zoo.callbacks.manifest import RunRecord
    from zoo.engine.initial_weights import InitialWeights
    from zoo.engine.lightning_cli import ZooCLI

log = logging.getLogger(__name__)


def main(argv: list[str]) -> int:
    """Train a model, then run the steps that the trainer preset asks for.

    Args:
        argv: The words after `fit`.

    Returns:
        The exit code.
    """
    request = parse("fit", argv)
    if request.help:
        print_help(request)
        return 0
    with prepared_process():
        composed = compose_request(request)
        check_early(request, composed)
        weights = _read_initial_weights(request, composed)
        cli = load_lightning().from_request(
            request,
            composed,
            [("init_from", weights.sha256)] if weights else [],  # part of the identity of the run
        )
        if request.print_config:
            print_config(cli)
            return 0
        if request.find_lr:
            _print_rate(cli, request, weights)
            return 0
        folder = request.run_folder or default_folder(composed, cli.resolved())
        if folder.state(cli.resolved()) is State.NEW:
            from zoo.engine.cost_gate import check_costs

            check_costs(composed, cli.resolved(), request.words, request.yes)
        if _fit(cli, composed, request, folder, weights):
            _run_next_steps(composed, request, folder)
    return 0


def _print_rate(cli: ZooCLI, request: Request, weights: InitialWeights | None) -> None:
    """Look for a learning rate, and print the command that trains with it: so the rate is part of the identity."""
    from zoo.engine.learning_rate import find_rate

    set_activity("looking for a learning rate")
    rate = find_rate(cli, weights)
    kept = [word for word in request.words if find_option(word) != find_option("--find-lr")]
    console.print(f"The loss falls fastest at a learning rate of {rate:g}. Train with it:", soft_wrap=True)
    console.print(f"zoo fit {shlex.join(kept)} --model.lr {rate:g}", soft_wrap=True, markup=False)


def _fit(cli: ZooCLI, composed: Composed, request: Request, folder: RunFolder, weights: InitialWeights | None) -> bool:
    """Train a run, or continue it from its last checkpoint; do nothing where it is finished.

    A new run starts from `weights`, if there are any.

    Returns:
        Whether the folder now holds a trained model.
    """
    config = cli.resolved()
    if _is_finished(folder, config):
        return True
    record = _build_for_fit(cli, composed, request, config, folder)
    # The other ranks of a run belong to the process that holds the lock.
    with folder.opened(), folder.locked() if cli.trainer.is_global_zero else nullcontext():
        if cli.trainer.is_global_zero and _is_finished(folder, config):  # by a process that was quicker
            return True
        if cli.trainer.is_global_zero:
            folder.remove_unfinished()
        last = folder.last if folder.last.is_file() else None
        if cli.trainer.is_global_zero:
            _log_start(composed, folder, "resumed" if last else "started")
        if weights:
            _start_from(weights, cli, record, resumed=last is not None)
        with folder.restored_if_refused(), explain_errors(folder, cli.flags):
            cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=last, weights_only=True)
        if not any(folder.checkpoints.glob("*.ckpt")):
            console.print(f"{folder.path}: no checkpoint was kept, so there is nothing to score.", soft_wrap=True)
            return False
        if cli.trainer.is_global_zero:
            _finish(cli, folder)
    return True


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
        cli = load_lightning().from_request(asked, composed)
        if folder.scores(text_control(cli.resolved())).is_file():
            continue
        try:
            evaluate(cli, composed, asked, folder)
        except NotApplicableError as error:
            log.warning("%s is left out: %s", step, error)


def _read_initial_weights(request: Request, composed: Composed) -> InitialWeights | None:
    """Read the weights of `--init-from`, if it is given.

    Raises:
        ConfigError: They are those of the run itself, or only a configuration names them.
        ZooError: They cannot be read.
    """
    if request.init_from is None:
        if composed.config.get("init_from"):
            raise ConfigError(
                f"init_from {composed.config['init_from']}: the weights of this hash are needed.",
                "Add `--init-from` with the run or the file that holds them.",
            )
        return None
    if request.out and request.init_from.resolve().is_relative_to(request.out.resolve()):
        raise ConfigError(
            f"--init-from {request.init_from}: these are weights of the run in --out itself.",
            "Leave out --init-from to continue the run, or name another --out.",
        )
    set_activity("loading PyTorch")
    from zoo.engine.initial_weights import read_weights

    return read_weights(request.init_from)


def _start_from(weights: InitialWeights, cli: ZooCLI, record: RunRecord, resumed: bool) -> None:
    """Load initial weights into the model of a new run, and put them into the record of the run."""
    from zoo.cli.weights_table import print_weights
    from zoo.engine.initial_weights import load_weights, match_weights

    if resumed:
        report, _ = match_weights(cli.model, weights)
    else:
        report = load_weights(cli.model, weights)
        if cli.trainer.is_global_zero:
            print_weights(report)
    record.known["init_from"] = report.to_dict()


def _is_finished(folder: RunFolder, config: Config) -> bool:
    """Whether the run is finished; if so, print how to score it."""
    manifest = folder.read_manifest()  # once: another process may write it between two reads
    state = folder.state(config, manifest)
    check_run(folder, manifest=manifest)
    if state is not State.FINISHED:
        return False
    finished = manifest["finished"]
    console.print(
        f"{folder.path}: finished on {finished}. Score it with `zoo test --out {folder.path}`.", soft_wrap=True
    )
    return True


def _build_for_fit(cli: ZooCLI, composed: Composed, request: Request, config: Config, folder: RunFolder) -> RunRecord:
    """Build data, model and trainer, with the callbacks that keep the record of a run; return the record."""
    from zoo.callbacks.checkpoints import checkpoints
    from zoo.callbacks.history import History, LearningRate, TrimHistory
    from zoo.callbacks.interruption import Interruption
    from zoo.callbacks.manifest import RunRecord
    from zoo.callbacks.progress import ProgressLines
    from zoo.callbacks.random_state import RandomState
    from zoo.engine.loggers import make_loggers, make_overlays

    known = {
        "model": composed.model,
        "size": composed.size,
        "encoder": config["model"].get("init_args", {}).get("encoder"),
        "data": composed.data,
        "seed": config["seed_everything"],
        "config_hash": config_hash(config),
        "folder": folder.path.resolve().name,
        "tuned": _claim_recipe(composed, config),
        "publish": composed.publish.to_dict(),
    }
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    record = RunRecord(folder.config, folder.manifest, text, known, composed.model_card.text == "none")
    off = config["trainer"].get("logger") is False
    if off and request.loggers:
        raise ConfigError("--trainer.logger false turns off every logger of --logger.", "Leave one of the two out.")
    random = RandomState()
    set_activity("building the model")
    cli.build(
        callbacks=[
            record,
            TrimHistory(folder.metrics),
            random,
            ProgressLines(),
            LearningRate(),
            Interruption(folder.last, random),
            *checkpoints(folder.checkpoints),
            *make_overlays(request.overlays, request.loggers, composed),
        ],
        logger=[History(folder.path), *make_loggers(request.loggers, folder.path, composed)],
        default_root_dir=str(folder.path),
    )
    return record


def _claim_recipe(composed: Composed, config: Config) -> dict[str, Any] | None:
    """Return what the manifest says of the tuned recipe; nothing where a flag has changed one of its values."""
    claim = composed.tuned.claim(config) if composed.tuned else None
    if composed.tuned and claim is None:
        log.warning("%s: the command changes a tuned value, so this run does not count as tuned", composed.tuned.path)
    return claim


def _log_start(composed: Composed, folder: RunFolder, event: str) -> None:
    layers = " < ".join(composed.layers)
    log.info("%s (%s) on %s, %s in %s; %s", composed.model, composed.size, composed.data, event, folder.path, layers)


def _finish(cli: ZooCLI, folder: RunFolder) -> None:
    """Write into the manifest that the run is finished, and print its best validation score."""
    from zoo.callbacks.checkpoints import BestCheckpoint
    from zoo.callbacks.early_stopping import EarlyStopping
    from zoo.callbacks.manifest import finish, has_ended_early, tested_weights

    callbacks = cli.trainer.callbacks  # type: ignore[attr-defined]
    best = next(one.best_model_score for one in callbacks if isinstance(one, BestCheckpoint))
    progress: Any = cli.trainer.fit_loop.epoch_progress.current
    epochs = int(progress.processed)
    digests = getattr(cli.trainer.strategy.checkpoint_io, "digests", {})
    early = has_ended_early(cli.trainer, epochs)
    score = None if best is None else float(best)
    finish(folder.manifest, score, epochs, seal_files(folder, digests), ended_early=early)
    shown = [] if best is None else [f"best val/dice {float(best):.4f}"]
    stopped = any(isinstance(one, EarlyStopping) and one.has_stopped for one in callbacks)
    shown += [f"stopped early after epoch {epochs}"] if stopped else []
    weights = tested_weights(callbacks)
    shown += [] if weights == "trained" else [f"tested weights: {weights}"]
    console.print(", ".join([*shown, f"run in {folder.path}"]), soft_wrap=True)
