"""Starts a training from the weights of another run or file: `zoo fit --init-from`, and `load_weights` in Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from zoo.callbacks.checkpoints import load
from zoo.engine.run_folder import RunFolder
from zoo.engine.run_seals import check_run, choose_checkpoint
from zoo.engine.seen_data import find_seen_data
from zoo.errors import CheckpointError
from zoo.hub.names import is_hub_name
from zoo.hub.package import is_package, read_package
from zoo.hub.pull import fetch
from zoo.models.finite_values import check_weights
from zoo.utils.hashing import hash_bytes

_SECTIONS = ("state_dict", "model_state_dict", "model", "network_weights")
"""Keys under which training programs store the weights in a checkpoint."""

_PREFIXES = ("", "module.", "_orig_mod.", "model.")
"""Beginnings of names that wrappers add: DDP, torch.compile, a LightningModule around a network."""

Shapes = tuple[tuple[int, ...], tuple[int, ...]]


@runtime_checkable
class ResizesWeights(Protocol):
    """A model that can take weights of another shape, such as larger kernels from smaller ones."""

    def resize_weight(self, weight: Tensor, shape: Sequence[int]) -> Tensor | None:
        """Return the weight in the shape of the model's; None if it cannot be resized."""


@dataclass(frozen=True, slots=True)
class InitialWeights:
    """The weights of a file.

    Attributes:
        source: The file.
        tensors: The tensors by name.
        sha256: Hash of names, types, shapes and values. It does not depend on the format of the file.
        trained_on: What the weights have seen (`zoo.contamination.sets_of_run`).
    """

    source: Path
    tensors: Mapping[str, Tensor]
    sha256: str
    trained_on: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedWeights:
    """Which weights of a model came from a file.

    Attributes:
        source: The file.
        sha256: Hash of the content of the file.
        loaded: Names of the tensors of the model that have the values of the file.
        resized: Those of `loaded` that the model resized: name -> (shape in the file, shape in the model).
        trained_on: What the weights have seen (`zoo.contamination.sets_of_run`).
        new: Names of the tensors of the model that the file lacks.
        reshaped: Names in both with different shapes: (in the file, in the model). The model keeps its own values.
        unused: Names in the file that the model lacks.
        sizes: Number of values of each tensor of the model and of each unused tensor.
    """

    source: Path
    sha256: str
    loaded: tuple[str, ...]
    new: tuple[str, ...]
    reshaped: Mapping[str, Shapes]
    unused: tuple[str, ...]
    sizes: Mapping[str, int] = field(repr=False)
    resized: Mapping[str, Shapes] = field(default_factory=dict)
    trained_on: tuple[Mapping[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python, for the manifest."""
        return {
            "source": str(self.source),
            "sha256": self.sha256,
            "loaded": len(self.loaded),
            "resized": _as_lists(self.resized),
            "new": list(self.new),
            "other_shape": _as_lists(self.reshaped),
            "left_out": list(self.unused),
            "trained_on": [dict(one) for one in self.trained_on],
        }

    def rows(self) -> Iterator[tuple[str, int, int, str]]:
        """Yield (part of the model, tensors, values, what happened); a tensor of another shape has its own row.

        The part is the beginning of the name up to the first component in which names of the model differ.
        """
        mine = [name.split(".")[:-1] for name in (*self.loaded, *self.new, *self.reshaped)]
        depth = 1 + len(list(takewhile(lambda names: len(set(names)) == 1, zip(*mine, strict=False))))
        for names, status in (
            (tuple(name for name in self.loaded if name not in self.resized), "loaded"),
            (tuple(self.resized), "loaded, resized by interpolation"),
            (self.new, "new: the file has no such weights"),
            (self.unused, "left out: the model has no such weights"),
        ):
            parts: dict[str, list[int]] = {}
            for name in names:
                parts.setdefault(".".join(name.split(".")[:depth]), []).append(self.sizes[name])
            yield from ((part, len(sizes), sum(sizes), status) for part, sizes in parts.items())
        for name, (there, here) in self.reshaped.items():
            yield name, 1, self.sizes[name], f"new: {list(there)} in the file, {list(here)} in the model"


def read_weights(source: str | Path) -> InitialWeights:
    """Read the weights of a run folder, a package, a checkpoint or a safetensors file, without running code in it.

    Args:
        source: The folder of a run (its best checkpoint, else its last), a `.ckpt`, `.pt` or `.pth` file of a state
            dictionary, a `.safetensors` file, the folder of a package, or its name: `hub:OWNER/NAME@COMMIT`.

    Raises:
        RunError: The folder holds no run, or the package was changed or cannot be fetched.
        CheckpointError: The file cannot be read, has no weights, or has weights that are not finite.
    """
    path = fetch(str(source)) if is_hub_name(str(source)) else Path(source).expanduser()
    trained_on = find_seen_data(path)
    if path.is_dir() and is_package(path):
        path = read_package(path).find_weights()
    elif path.is_dir():
        run = RunFolder(path)
        run.read_config()
        path = choose_checkpoint(run, None, check_run(run))
    content = _read_safetensors(path) if path.suffix == ".safetensors" else load(path)
    chosen = next((content[key] for key in _SECTIONS if isinstance(content.get(key), Mapping)), content)
    tensors = {str(name): value for name, value in chosen.items() if isinstance(value, Tensor)}
    if not tensors:
        raise CheckpointError(f"{path}: no weights are in this file.", "Name a run folder or a state dictionary.")
    check_weights(tensors, str(path))
    return InitialWeights(path, tensors, _hash_tensors(tensors), trained_on)


def load_weights(model: nn.Module, source: str | Path | InitialWeights) -> LoadedWeights:
    """Give a model the weights of another run or file where name and shape agree; the others stay as they are.

    A model with `ResizesWeights` also takes weights of other shapes. `zoo fit --init-from` does the same.

    Args:
        model: The model.
        source: As for `read_weights`.

    Returns:
        Which weights were loaded, which are new, and which were left out.

    Raises:
        RunError: The folder holds no run.
        CheckpointError: The file cannot be read, or none of its weights fits.

    Example:
        >>> from torch import nn
        >>> from safetensors.torch import save_file
        >>> from tempfile import TemporaryDirectory
        >>> old, new = nn.Sequential(nn.Linear(2, 3)), nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
        >>> with TemporaryDirectory() as folder:
        ...     save_file(old.state_dict(), f"{folder}/old.safetensors")
        ...     report = load_weights(new, f"{folder}/old.safetensors")
        >>> report.loaded, report.new
        (('0.bias', '0.weight'), ('1.bias', '1.weight'))
    """
    weights = source if isinstance(source, InitialWeights) else read_weights(source)
    report, fitting = match_weights(model, weights)
    model.load_state_dict(fitting, strict=False)
    return report


def match_weights(model: nn.Module, weights: InitialWeights) -> tuple[LoadedWeights, dict[str, Tensor]]:
    """Compare weights with a model by name and shape, and change nothing.

    Returns:
        The report, and the tensors that fit, by the names of the model.

    Raises:
        CheckpointError: None fits.
    """
    here = {name: value for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    there = max(
        (_without_prefix(weights.tensors, prefix) for prefix in _PREFIXES),
        key=lambda names: len(names.keys() & here.keys()),
    )
    shared = sorted(there.keys() & here.keys())
    fitting = {name: there[name] for name in shared if _shapes_agree(there, here, name)}
    resized: dict[str, Tensor] = {}
    if fitting and isinstance(model, ResizesWeights):
        for name in (one for one in shared if one not in fitting):
            value = model.resize_weight(there[name], here[name].shape)
            if value is not None:
                resized[name] = value
    fitting |= resized
    if not fitting:
        raise CheckpointError(
            f"{weights.source}: none of its {len(weights.tensors)} weights has a name and a shape of this model.",
            "Name a run of the same method (`zoo list models`).",
        )
    shapes = {name: (tuple(there[name].shape), tuple(here[name].shape)) for name in shared}
    unused = tuple(sorted(there.keys() - here.keys()))
    report = LoadedWeights(
        source=weights.source,
        sha256=weights.sha256,
        loaded=tuple(fitting),
        new=tuple(sorted(here.keys() - there.keys())),
        reshaped={name: shapes[name] for name in shared if name not in fitting},
        unused=unused,
        sizes={name: value.numel() for name, value in here.items()} | {name: there[name].numel() for name in unused},
        resized={name: shapes[name] for name in resized},
        trained_on=weights.trained_on,
    )
    return report, fitting


def _as_lists(shapes: Mapping[str, Shapes]) -> dict[str, list[list[int]]]:
    return {name: [list(shape) for shape in pair] for name, pair in shapes.items()}


def _shapes_agree(there: Mapping[str, Tensor], here: Mapping[str, Tensor], name: str) -> bool:
    return there[name].shape == here[name].shape


def _without_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items()}


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = load_file(path)
    except (OSError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{path}: cannot be read ({reason}).", "Name another file: --init-from.") from error
    return content


def _hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Return the hash of names, types, shapes and values, in the order of the names."""

    def chunks() -> Iterator[bytes]:
        for name in sorted(tensors):
            tensor = tensors[name].detach().cpu().contiguous()
            yield f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode()
            yield tensor.reshape(-1).view(torch.uint8).numpy().tobytes()

    return hash_bytes(chunks())
