"""`zoo fit|validate|test|predict`: one command from the words typed to the files in the run folder."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from zoo.cli.console import console, quiet
from zoo.cli.help import usage
from zoo.config import Composed, Config, compose, config_hash
from zoo.engine.arguments import Request, parse
from zoo.engine.run_folder import RunFolder, State, default_folder
from zoo.errors import CheckpointError, ConfigError, RunError
from zoo.utils.atomic_files import disk_is_full

if TYPE_CHECKING:
    from zoo.engine.lightning_cli import ZooCLI

log = logging.getLogger(__name__)

EVALUATION_FLAGS = ("data.text", "data.init_args.text", "data.root", "data.num_workers")
"""Flags that change how a run is looked at and not which run it is."""


def main(verb: str, argv: list[str]) -> int:
    """Runs a verb.

    Args:
        verb: "fit", "validate", "test" or "predict".
        argv: The words after it.

    Returns:
        The exit code.
    """
    request = parse(verb, argv)
    if request.help:
        sys.stdout.write(usage())
        return 0
    # Ranks and workers are new processes: a folder `zoo` or `benchmarks` of the user's must not shadow ours there.
    os.environ["PYTHONSAFEPATH"] = "1"
    quiet()
    composed, folder = compose_request(request)
    cli = engine_of(composed, request)
    resolved = cli.resolved()
    if request.print_config:
        sys.stdout.write(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True))
        return 0
    _check_precision(resolved)
    if verb == "fit":
        folder = folder or default_folder(composed, resolved)
        _fit(cli, composed, folder)
        return _follow(cli, composed, request, folder)
    return _evaluate(cli, request, folder or _folder_of(cli, composed, request))


def _check_precision(config: Config) -> None:
    """Refuse, before a folder is made, what turns whole batches into another precision: their facts have none.

    Raises:
        ConfigError: The trainer's precision is neither full nor mixed.
    """
    precision = str(config["trainer"].get("precision") or "32")
    if precision not in ("16", "bf16", "32", "32-true") and not precision.endswith("-mixed"):
        raise ConfigError(f"--trainer.precision {precision} is not for these models.", "Use bf16-mixed or 32-true.")


def compose_request(request: Request) -> tuple[Composed, RunFolder | None]:
    """The layers of this command and the run folder that it names; evaluation starts from that run's configuration."""
    folder = RunFolder(request.out) if request.out else None
    base = folder.read_config() if folder and request.verb != "fit" else None
    composed = compose(
        request.model, request.data, size=request.size, preset=request.preset, files=request.files, base=base
    )
    missing = [f"--{key}" for key in ("model", "data") if base is None and not getattr(composed, key)]
    missing = [key for key in missing if key[2:] not in composed.config]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} missing.",
            f"Write `zoo {request.verb} --model NAME --data NAME` (`zoo list models`, `zoo list data`)"
            + (", or `--out DIR` of a run." if request.verb in ("validate", "test", "predict") else "."),
        )
    if folder and base is not None:
        folder.check_agrees(composed)
    return _named(composed), folder


def _named(composed: Composed) -> Composed:
    """Names for what came from a file alone: the classes'."""
    names = {
        key: (composed.config.get(key) or {}).get("class_path", "").rpartition(".")[2]
        for key in ("model", "data")
        if not getattr(composed, key)
    }
    return replace(composed, **names)


def engine_of(composed: Composed, request: Request) -> ZooCLI:
    """The parsed command, of which nothing is built yet."""
    from zoo.engine.lightning_cli import ZooCLI

    quiet()
    seed = [("seed_everything", str(request.seed))] if request.seed is not None else []
    return ZooCLI(composed.config, [*seed, *request.flags])


def _folder_of(cli: ZooCLI, composed: Composed, request: Request) -> RunFolder:
    """The default folder of the run that the same options would have trained."""
    trained = tuple(flag for flag in request.flags if flag[0] not in EVALUATION_FLAGS)
    if trained != request.flags:
        cli = engine_of(composed, replace(request, flags=trained))
    folder = default_folder(composed, cli.resolved())
    folder.read_config()
    return folder


def _fit(cli: ZooCLI, composed: Composed, folder: RunFolder) -> None:
    config = cli.resolved()
    state = folder.state(config)
    if state is State.FINISHED:
        done = folder.read_manifest()["finished"]
        console.print(
            f"{folder.path}: finished on {done}. Score it with `zoo test --out {folder.path}`.", soft_wrap=True
        )
        return
    resume = folder.last if folder.last.is_file() else None
    _build_for_fit(cli, composed, config, folder)
    if cli.trainer.is_global_zero:
        _announce(composed, folder, "resumed" if resume else "started")
    with folder.opened(), _mistakes_named(folder):
        cli.trainer.fit(cli.model, datamodule=cli.datamodule, ckpt_path=resume, weights_only=True)
    if cli.trainer.is_global_zero:
        from zoo.callbacks.checkpoints import BestCheckpoint
        from zoo.callbacks.manifest import finish

        best = next(c.best_model_score for c in cli.trainer.callbacks if isinstance(c, BestCheckpoint))  # type: ignore[attr-defined]
        finish(folder.manifest, None if best is None else float(best))
        shown = "" if best is None else f"best val/dice {float(best):.4f}, "
        console.print(f"{shown}run in {folder.path}", soft_wrap=True)


def _follow(cli: ZooCLI, composed: Composed, request: Request, folder: RunFolder) -> int:
    """What the preset wants of a trained run, as far as that was not done before."""
    if folder.scores(_text(cli.resolved())).is_file():
        return 0
    for verb in composed.then:
        _evaluate(engine_of(composed, request), replace(request, verb=verb), folder)
    return 0


def _text(config: Config) -> str:
    """The text control of a configuration: "true", "shuffled", "blank" or "names"."""
    return (config["data"].get("init_args") or {}).get("text") or "true"


def _announce(composed: Composed, folder: RunFolder, what: str) -> None:
    layers = " < ".join(composed.layers)
    log.info("%s (%s) on %s, %s in %s; %s", composed.model, composed.size, composed.data, what, folder.path, layers)


def _build_for_fit(cli: ZooCLI, composed: Composed, config: Config, folder: RunFolder) -> None:
    from zoo.callbacks.checkpoints import checkpoints
    from zoo.callbacks.history import History, TrimHistory
    from zoo.callbacks.manifest import RunRecord
    from zoo.callbacks.progress import EpochLog
    from zoo.callbacks.random_state import RandomState

    known = {
        "model": composed.model,
        "size": composed.size,
        "encoder": config["model"].get("init_args", {}).get("encoder"),
        "data": composed.data,
        "seed": config["seed_everything"],
        "config_hash": config_hash(config),
    }
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    record = RunRecord(folder.config, folder.manifest, text, known, composed.model_card.text == "none")
    logs = [] if sys.stderr.isatty() else [EpochLog()]
    cli.build(
        callbacks=[record, TrimHistory(folder.metrics), RandomState(), *logs, *checkpoints(folder.checkpoints)],
        logger=History(folder.path),
        default_root_dir=str(folder.path),
    )


def _evaluate(cli: ZooCLI, request: Request, folder: RunFolder) -> int:
    from zoo.callbacks.overlays import Overlays
    from zoo.callbacks.predictions import Predictions
    from zoo.callbacks.scores import Scores

    checkpoint = folder.checkpoint(request.ckpt)
    text = _text(cli.resolved())
    scores, predictions = Scores(folder.scores(text), folder.manifest), Predictions(folder.predictions(text))
    # before the scores, whose file says that the test is done
    overlays = [Overlays(folder.overlays)] if request.verb == "test" and text == "true" else []
    cli.build(callbacks=[*overlays, scores, predictions], default_root_dir=str(folder.path), enable_checkpointing=False)
    arguments: dict[str, Any] = {"datamodule": cli.datamodule, "ckpt_path": checkpoint, "weights_only": True}
    with _mistakes_named(folder):
        if request.verb == "validate":
            cli.trainer.validate(cli.model, verbose=False, **arguments)
        elif request.verb == "test":
            cli.trainer.test(cli.model, verbose=False, **arguments)
        else:
            cli.trainer.predict(cli.model, return_predictions=False, **arguments)
    if cli.trainer.is_global_zero:
        _say_results(cli, request.verb, scores, predictions)
    return 0


def _say_results(cli: ZooCLI, verb: str, scores: Any, predictions: Any) -> None:
    if verb == "test":
        from zoo.cli.score_table import print_scores

        print_scores(scores.path)
    elif verb == "predict":
        facts: Any = cli.model.facts
        names = facts.labels.names  # in the order of the numbers: those of the raw labels may be others
        numbers = ", ".join(f"{number} {name}" for number, name in enumerate(names, start=1))
        what = f": {numbers}" if len(names) > 1 else ""
        console.print(f"{predictions.written} label images in {predictions.folder}{what}", soft_wrap=True)
    else:
        console.print("  ".join(f"{key} {float(value):.4f}" for key, value in cli.trainer.callback_metrics.items()))


@contextmanager
def _mistakes_named(folder: RunFolder) -> Iterator[None]:
    """A checkpoint of another network is a user's mistake; the list of all its tensors helps nobody.

    Lightning's own files (hparams.yaml, metrics.csv) do not say whose disk is full.
    """
    try:
        yield
    except OSError as error:
        if not disk_is_full(error):
            raise
        raise RunError(f"{folder.path}: cannot be written: {error}.", "Free some space and run it again.") from error
    except SystemExit as error:  # what Lightning makes of Ctrl-C
        raise KeyboardInterrupt from error
    except RuntimeError as error:
        if "loading state_dict" not in str(error):
            raise
        first = " ".join(str(error).split("\n")[1:2]).strip()
        raise CheckpointError(
            f"{folder.path}: the checkpoint does not fit the model ({first.partition(': copying')[0][:160]}).",
            "Repeat the run's own --model, --size and options.",
        ) from error
