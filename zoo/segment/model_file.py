"""A trained model in one file: the weights as safetensors, and in its metadata all that `zoo.load` needs.

The file has no pickle, and to read it runs no code: it may only name models of the zoo and of installed packages that
declare them, or classes of `ZOO_ALLOWED_CLASSES`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from zoo import __version__
from zoo.callbacks.checkpoints import explain_load_errors, load
from zoo.engine.lightning_cli import import_class
from zoo.errors import CheckpointError
from zoo.models.base import SegModule
from zoo.models.finite_values import check_weights
from zoo.preprocessing.training_input import KEY as TRAINING_INPUT
from zoo.preprocessing.training_input import TrainingInput
from zoo.registry import MODELS
from zoo.utils.atomic_files import write_atomically
from zoo.utils.config_files import allowed_classes, check_no_resolvers
from zoo.utils.lazy import public_path
from zoo.utils.termination import interrupt_kept

METADATA = "textseg_zoo"
"""Key of the metadata of a safetensors file for the content of this module, as JSON."""

FORMAT = 1
"""Version of this content."""

_PARSED = {"_instantiator": "lightning.pytorch.cli.instantiate_module"}
_FIX = "Name a run folder of `zoo fit`, or a file that `zoo push` or `Segmenter.save` wrote."


def write_model(
    path: Path, model: SegModule, images: TrainingInput, precision: str, further: Mapping[str, str] | None = None
) -> None:
    """Write a model in one file, completely or not at all.

    Pre-trained weights of the vision encoder are not named: those of the file replace them. A frozen text encoder is
    not in the file, which has its name, its revision and a hash of its weights.

    Args:
        path: The file, with the suffix `.safetensors`.
        model: The model.
        images: What the model must know of its images.
        precision: The precision of the training.
        further: Further metadata of the file, which `read_model` does not read.

    Raises:
        CheckpointError: An argument of the model is no plain data.
        RunError: The file cannot be written.
    """
    state = model.state_dict()
    given = {str(key): value for key, value in model.hparams.items() if not str(key).startswith("_")}
    if given.get("vision_weights"):
        given["vision_weights"] = ""
    _check_arguments(given, path)
    content = {
        "format": FORMAT,
        "zoo": __version__,
        "class_path": public_path(type(model), f"{type(model).__module__}.{type(model).__qualname__}"),
        "arguments": given,
        "parsed": "_instantiator" in model.hparams,
        "state": {name: value for name, value in state.items() if not isinstance(value, Tensor)},
        "input": images.to_dict(),
        "precision": precision,
    }
    try:
        text = json.dumps(content, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: an argument of the model is no plain data: {error}.", "Train it again."
        ) from error
    tensors = {
        name: value.detach().cpu().clone().contiguous() for name, value in state.items() if isinstance(value, Tensor)
    }
    write_atomically(path, lambda temporary: save_file(tensors, temporary, {**(further or {}), METADATA: text}))


def read_model(path: Path) -> tuple[SegModule, TrainingInput, str]:
    """Read a model, in evaluation mode, on the CPU.

    Args:
        path: A file of `write_model`.

    Returns:
        The model, what it must know of its images, and the precision of its training.

    Raises:
        CheckpointError: The file cannot be read, has no such content, or names a class that no file may name.
    """
    content, tensors = _read(path)
    arguments = content["arguments"]
    kind = find_model_class(str(content["class_path"]), path)
    _check_arguments(arguments, path)
    check_weights(tensors, str(path))
    further = {**_PARSED, "_class_path": content["class_path"]} if content["parsed"] else {}
    checkpoint = {
        "pytorch-lightning_version": _lightning_version(),
        "state_dict": {**tensors, **content["state"]},
        "hyper_parameters": {**arguments, **further},
        "hparams_name": "kwargs",
        TRAINING_INPUT: content["input"],
    }
    packed = io.BytesIO()
    with interrupt_kept():
        torch.save(checkpoint, packed)
    packed.seek(0)
    with explain_load_errors(path):
        model = kind.load_from_checkpoint(packed, map_location="cpu", weights_only=True)
    return model.eval(), TrainingInput.from_dict(content["input"]), str(content["precision"])


def read_checkpoint(path: Path) -> tuple[SegModule, TrainingInput, str]:
    """Read a model from a checkpoint of the command line that lies in no run folder.

    Args:
        path: A file `.ckpt`.

    Returns:
        As `read_model`. The file does not say the precision: "32-true".

    Raises:
        CheckpointError: The file cannot be read, does not say its model or its images, or names a class that no file
            may name.
    """
    content = load(path)
    arguments = content.get("hyper_parameters") or {}
    named = arguments.get("_class_path")
    if not named or arguments.get("_instantiator") != _PARSED["_instantiator"] or TRAINING_INPUT not in content:
        raise CheckpointError(f"{path}: it does not say which model it is, or how its images were prepared.", _FIX)
    kind = find_model_class(str(named), path)
    _check_arguments({key: value for key, value in arguments.items() if not str(key).startswith("_")}, path)
    with explain_load_errors(path):
        model = kind.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    return model.eval(), TrainingInput.from_dict(content[TRAINING_INPUT]), "32-true"


def find_model_class(path: str, file: Path) -> type[SegModule]:
    """Import the class of a model that a file names.

    Args:
        path: The dotted path.
        file: The file, for messages.

    Raises:
        CheckpointError: It is no model of `zoo list models`, of `zoo.models` or of `ZOO_ALLOWED_CLASSES`.
        ConfigError: The class cannot be imported.
    """
    cards = ((card.config.get("model") or {}).get("class_path") for card in MODELS)
    module, _, name = path.rpartition(".")
    if not ((module == "zoo.models" and name[:1].isupper()) or path in {*cards, *allowed_classes()}):
        raise CheckpointError(
            f"{file}: it names the class {path}, which is no model of `zoo list models`.",
            f"Install its package, or allow it: ZOO_ALLOWED_CLASSES={path}.",
        )
    kind = import_class("model", path)
    if not issubclass(kind, SegModule):
        raise CheckpointError(f"{file}: {path} is no SegModule.", _FIX)
    return kind


def _check_arguments(content: Any, path: Path) -> None:
    """Refuse arguments that name classes or read the environment.

    Raises:
        CheckpointError: There are some.
    """
    if any(key in ("class_path", "_instantiator", "_class_path") for key in _keys(content)):
        raise CheckpointError(f"{path}: an argument of the model names a class, which no file may do.", _FIX)
    check_no_resolvers(content, str(path))


def _keys(content: Any) -> Iterator[str]:
    inner = content.values() if isinstance(content, Mapping) else content if isinstance(content, list | tuple) else ()
    if isinstance(content, Mapping):
        yield from map(str, content)
    for value in inner:
        yield from _keys(value)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            stored = (file.metadata() or {}).get(METADATA)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        content = json.loads(stored) if stored else None
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path}: cannot be read ({reason}).", _FIX) from error
    if content is None:
        raise CheckpointError(f"{path}: weights alone, without the model they belong to.", _FIX)
    lacking = {"class_path", "arguments", "parsed", "state", "input", "precision"} - set(content)
    if content.get("format") != FORMAT or lacking:
        raise CheckpointError(
            f"{path}: a model file of another version ({content.get('format')}, of zoo {content.get('zoo')}).",
            "Install that version of textseg-zoo.",
        )
    return content, tensors


def _lightning_version() -> str:
    from lightning import __version__ as version

    return str(version)
