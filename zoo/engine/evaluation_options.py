"""Which options `zoo validate|test|predict` accept for a run that is trained. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.config import MACHINE_KEYS, Config
from zoo.engine.arguments import Request
from zoo.errors import ConfigError
from zoo.utils.config_files import without_foreign_callbacks
from zoo.utils.config_values import list_leaves

EVALUATION_KEYS = frozenset(
    {
        *("data.init_args.text", "data.init_args.batch_size", "model.init_args.overlap"),
        *("model.init_args.windows.batch", "model.init_args.windows.skip_below"),
        *("trainer.precision", "trainer.inference_mode", "trainer.deterministic", "trainer.benchmark"),
    }
)
"""Keys of a run that its evaluation may change, because no weight depends on them afterwards."""

_LIMITS = {"validate": "trainer.limit_val_batches", "test": "trainer.limit_test_batches"}
_LIMITS |= {"predict": "trainer.limit_predict_batches"}
_TRAINING_ONLY = frozenset(
    {"trainer.logger", "trainer.log_every_n_steps", "trainer.enable_checkpointing", "trainer.sync_batchnorm"}
)
"""Keys of the machine that only training reads."""


def check_evaluation_options(
    request: Request, run: Path, layers: Config, resolved: Config, trained: Config
) -> dict[str, Any]:
    """Check that the options of a command change nothing that was trained, and that the verb uses each of them.

    An option that repeats the value of the run is accepted.

    Args:
        request: The command.
        run: The run folder, for messages.
        layers: The merged layers of the command, without flags (`Composed.config`).
        resolved: The resolved configuration of the command.
        trained: The configuration of the run.

    Returns:
        The keys that differ from the training and can change a score, with their values in this command.

    Raises:
        ConfigError: An option has no effect on this verb, or it would change what was trained.
    """
    trained, callbacks = without_foreign_callbacks(trained)
    resolved, repeated = without_foreign_callbacks(resolved)
    before, now = (_name_default(dict(list_leaves(config))) for config in (trained, resolved))
    flags = {_full_key(key) for key, _ in request.flags} | ({"seed_everything"} if request.seed is not None else set())
    asked = flags | {key for key, value in list_leaves(layers) if before.get(key) != value}
    differing = {
        key: value
        for key, value in (now | dict.fromkeys(before.keys() - now.keys())).items()
        if before.get(key) != value and _is_part(key, asked)
    }
    allowed = EVALUATION_KEYS | {_LIMITS[request.verb]}
    if other := [one for one in repeated if one not in callbacks]:
        differing["trainer.callbacks"] = other
    unused = [key for key in differing if _is_part(key, _TRAINING_ONLY) and _is_part(key, flags)]
    changed = [key for key in differing if not _is_part(key, MACHINE_KEYS | allowed)]
    if unused:
        raise ConfigError(
            f"{', '.join(sorted(unused))}: only training reads it, so `zoo {request.verb}` would ignore it.",
            "Leave it out.",
        )
    if changed:
        shown = ", ".join(f"{key} ({before.get(key)} -> {differing[key]})" for key in sorted(changed)[:8])
        raise ConfigError(
            f"{run}: `zoo {request.verb}` cannot change what was trained: {shown}.",
            "Leave these options out, or train another run with `zoo fit`.",
        )
    return {key: value for key, value in sorted(differing.items()) if key in allowed}


def _name_default(leaves: dict[str, Any]) -> dict[str, Any]:
    """Write Lightning's own precision where none is given, because a preset may name it."""
    return leaves | {"trainer.precision": leaves.get("trainer.precision") or "32-true"}


def _full_key(flag: str) -> str:
    """Return the key of a flag as a configuration has it: "data.text" is "data.init_args.text"."""
    section, _, rest = flag.rstrip("+").partition(".")
    inner = "init_args." if section in ("model", "data") and not rest.startswith(("init_args.", "class_path")) else ""
    return f"{section}.{inner}{rest}"


def _is_part(key: str, keys: frozenset[str] | set[str]) -> bool:
    """Whether a key is one of the keys, within one of them, or contains one of them."""
    return any(key == one or key.startswith(f"{one}.") or one.startswith(f"{key}.") for one in keys)
