"""Checks of a command before torch is loaded, which takes seconds: keys, encoders, protocol and folder of the data.

Each check is repeated where the value is used. Here it may be left out where only the code of a class knows the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.config import Composed, Config
from zoo.data_folders import find_data_folder
from zoo.encoders.vision_names import VISION_ENCODERS
from zoo.engine.arguments import Flag, Request
from zoo.engine.key_checks import SectionNames, check_keys
from zoo.errors import CheckpointError, ConfigError, UnknownNameError, did_you_mean
from zoo.registry import DATA, ENCODERS, Card
from zoo.text.text_losses import read_text_loss
from zoo.utils.config_values import find_value, plain_key, without_refused
from zoo.utils.static_arguments import StaticArguments, read_arguments

_TRAINER = "lightning.pytorch.trainer.trainer.Trainer"


def check_early(request: Request, composed: Composed) -> None:
    """Check a command as far as cards, files and sources of classes tell, without an import of torch.

    Args:
        request: The command. With `print_config`, only its keys are checked.
        composed: Its merged layers.

    Raises:
        ConfigError: A key, an encoder or a protocol is unknown.
        DataError: The data set has no folder.
        CheckpointError: There is no file to start from, or no checkpoint of the name that is asked for.
    """
    sources = read_sources(composed.config)
    config = check_early_keys(composed, request.flags, sources)
    if request.print_config:
        return
    if request.init_from and not request.init_from.exists():
        raise CheckpointError(f"--init-from {request.init_from}: no such file or folder.", "Name a run or a file.")
    check_encoders(config, request.flags, sources.get("model"))
    folder = request.run_folder
    if folder and request.ckpt:
        folder.checkpoint(request.ckpt)
    manifest = folder.read_manifest() if folder else {}
    if request.verb == "fit" and manifest.get("finished"):
        return  # nothing is trained, so no data is read
    name = next((one for one in (composed.data, manifest.get("data")) if str(one) in DATA), None)
    if name is not None:
        check_data(DATA.get(str(name)), config, request.flags)


def read_sources(config: Mapping[str, Any]) -> dict[str, StaticArguments]:
    """Read the arguments of the classes of a configuration from their sources; a class that hides some is left out."""
    paths = {section: str((config.get(section) or {}).get("class_path") or "") for section in ("model", "data")}
    found = {section: read_arguments(path) for section, path in {**paths, "trainer": _TRAINER}.items() if path}
    return {section: one for section, one in found.items() if one is not None}


def check_early_keys(composed: Composed, flags: Iterable[Flag], sources: Mapping[str, StaticArguments]) -> Config:
    """Check the keys of a command by the sources of its classes.

    Returns:
        The merged layers without the values of the preset that a class does not take.

    Raises:
        ConfigError: A key is unknown, or has no effect.
    """
    names = {section: one.names for section, one in sources.items()}
    optional = {key: value for key, value in composed.where_accepted.items() if key.partition(".")[0] in names}
    config = without_refused(composed.config, optional, names)
    check_keys(config, flags, {section: _section_names(one) for section, one in sources.items()})
    return config


def check_encoders(config: Config, flags: Iterable[Flag], model: StaticArguments | None) -> None:
    """Check the encoders and the text loss of a model of the zoo; other classes may mean something else.

    Raises:
        UnknownNameError: The text encoder is neither a name nor a folder.
        ConfigError: There is no such vision encoder or text loss.
    """
    if model is None or not str((config.get("model") or {}).get("class_path")).startswith("zoo."):
        return
    text, vision = (_value(config, flags, f"model.{key}") for key in ("encoder", "vision"))
    loss = read_text_loss(_value(config, flags, "model.text_loss")) if "text_loss" in model.names else None
    for name in ({text} if "encoder" in model.names else set()) | ({loss.encoder} if loss else set()):
        if name and name not in ENCODERS and not Path(name).expanduser().is_dir():
            raise UnknownNameError(ENCODERS.kind, name, ENCODERS.names(), ENCODERS.listing)
    family, colon, network = vision.partition(":")
    known = family + colon in VISION_ENCODERS and bool(colon) == bool(network)
    if "vision" in model.names and vision and not known and vision != model.defaults.get("vision"):
        names = ", ".join(name + "NAME" * name.endswith(":") for name in VISION_ENCODERS)
        raise ConfigError(
            f"No vision encoder '{vision}'.", did_you_mean(vision, VISION_ENCODERS, f"There are {names}.")
        )


def check_data(card: Card, config: Config, flags: Iterable[Flag]) -> None:
    """Check the protocol and the folder of a data set of the zoo; other classes may find their data themselves.

    Raises:
        UnknownNameError: No card of the class has such a protocol.
        DataError: There is no folder.
    """
    path = str((config.get("data") or {}).get("class_path"))
    if not path.startswith("datamodules."):
        return
    alike = [one for one in DATA if ((one.config.get("data") or {}).get("class_path")) == path]
    known = {name for one in alike for name in one.about.get("protocols") or ()}
    protocol = _value(config, flags, "data.protocol")
    if protocol and protocol not in known:
        raise UnknownNameError("protocol", protocol, card.about.get("protocols") or (), f"zoo show {card.name}")
    if not card.about.get("embedded"):
        folder = str(card.about.get("folder") or card.name)
        find_data_folder(card.name, folder, _value(config, flags, "data.root"), card.about.get("source"))


def _section_names(source: StaticArguments) -> SectionNames:
    options = {f"{group}.{key}" for group, keys in source.groups.items() for key in keys}
    return SectionNames(source.names - source.groups.keys() | options, source.groups, source.renamed)


def _value(config: Config, flags: Iterable[Flag], key: str) -> str:
    """Return the text of a value, as the last flag or else the layers have it; empty where it is not set."""
    typed = [value for flag, value in flags if plain_key(flag) == key]
    value = typed[-1] if typed else find_value(config, key)
    return "" if value is None or value == "null" else str(value)
