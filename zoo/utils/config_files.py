"""What a configuration from a file may not do: read the environment, and name functions that a run would call.

A user can take a configuration from elsewhere: a `-c` file, a preset, a card, a plan, or the `config.yaml` of a run.
Such a file is data. In the section of the trainer it may name classes, for example callbacks, and a callback such as
`LambdaCallback` takes the name of any importable function. Therefore a file may only name the classes in
`ALLOWED_CLASSES`, and those of `ZOO_ALLOWED_CLASSES`. The flags of a command may name every class.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from zoo.errors import ConfigError
from zoo.utils.text_files import TooLargeError, parse_value, parse_yaml

ALLOWED_CLASSES = frozenset(
    (
        *("DeviceStatsMonitor", "EarlyStopping", "EMAWeightAveraging", "GradientAccumulationScheduler"),
        *("LearningRateMonitor", "ModelCheckpoint", "ModelSummary", "RichModelSummary", "RichProgressBar"),
        *("StochasticWeightAveraging", "Timer", "TQDMProgressBar", "WeightAveraging"),
        *("CometLogger", "CSVLogger", "MLFlowLogger", "NeptuneLogger", "TensorBoardLogger", "WandbLogger"),
        *("AdvancedProfiler", "PassThroughProfiler", "PyTorchProfiler", "SimpleProfiler"),
        *("DDPStrategy", "FSDPStrategy", "SingleDeviceStrategy"),
        *("LightningEnvironment", "SLURMEnvironment", "TorchElasticEnvironment"),
    )
)
"""Classes of Lightning that a file may name, in each module of `lightning.pytorch`; and all classes of `zoo`."""

FUNCTION_ARGUMENTS = frozenset(
    (
        *("activation_checkpointing_policy", "auto_wrap_policy", "avg_fn"),
        *("ddp_comm_hook", "ddp_comm_wrapper"),
    )
)
"""Arguments of `ALLOWED_CLASSES` that take a function."""

_CLASS_KEYS = frozenset(("accelerator", "callbacks", "logger", "plugins", "profiler", "strategy"))
_ALWAYS_CLASSES = frozenset(("callbacks", "plugins"))
_REGISTERED = re.compile(r"[a-z0-9_]*")  # "ddp", "simple", "gpu": names that Lightning registers


def allowed_classes() -> frozenset[str]:
    """Return `ZOO_ALLOWED_CLASSES`: dotted names, separated by commas, that a configuration file may name as well."""
    return frozenset(name.strip() for name in os.environ.get("ZOO_ALLOWED_CLASSES", "").split(",") if name.strip())


def check_config(config: Mapping[str, Any], where: str, confirmed: str = "") -> None:
    """Check a configuration from a file.

    Args:
        config: The configuration, with the sections `model`, `data` and `trainer`.
        where: The file, for messages.
        confirmed: The flags of the command as one text. A class that a flag names as well is accepted.

    Raises:
        ConfigError: A section is no mapping, a text reads the environment, or the trainer gets a class or a function
            that no file may name.
    """
    check_form(config, where)
    check_no_resolvers(config, where)
    for key, found in _classes(config.get("trainer"), "trainer"):
        if not _is_allowed(found) and not re.search(rf"(?<![\w.]){re.escape(found)}(?![\w.])", confirmed):
            raise ConfigError(
                f"{where}: {key} names {found}, which no file may name.",
                f"Give it as a flag (--{key} ...), or allow it: ZOO_ALLOWED_CLASSES={found}.",
            )


def without_foreign_callbacks(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """Return a configuration without the callbacks that no file may name, and these callbacks.

    A test of a run needs none of them: they belong to its training, which a flag of the user gave them.

    Example:
        >>> without_foreign_callbacks({"trainer": {"callbacks": [{"class_path": "my.Logbook"}, "Timer"]}})
        ({'trainer': {'callbacks': ['Timer']}}, [{'class_path': 'my.Logbook'}])
    """
    trainer = config.get("trainer")
    given = trainer.get("callbacks") if isinstance(trainer, Mapping) else None
    entries = given if isinstance(given, list) else [] if given is None else [given]
    foreign = [one for one in entries if not all(_is_allowed(found) for _, found in _classes(one, "callbacks"))]
    if not isinstance(trainer, Mapping) or not foreign:
        return dict(config), []
    kept = [one for one in entries if one not in foreign] or None  # as a run without callbacks has it
    return {**config, "trainer": {**trainer, "callbacks": kept}}, foreign


def check_form(config: Any, where: str, at: str = "") -> None:
    """Check that a configuration and its sections are mappings with texts as keys. A section may be empty.

    Args:
        config: The configuration.
        where: The file, for messages.
        at: Dotted key of the configuration, for messages.

    Raises:
        ConfigError: A section is no mapping, or a key is no text.
    """
    parts = {at: config}
    for section in ("model", "data", "trainer") if isinstance(config, Mapping) else ():
        name = f"{at}.{section}".strip(".")
        parts[name] = config.get(section)
        if isinstance(parts[name], Mapping) and section != "trainer":
            parts[f"{name}.init_args"] = parts[name].get("init_args")
    for name, part in parts.items():
        if part is not None:
            check_mapping(part, f"{where}: {name}" if name else where)
            check_keys(dict.fromkeys(part), where, f"{name}." if name else "", (str,))
    check_keys(config, where, f"{at}." if at else "")


def check_mapping(content: Any, where: str) -> None:
    """Check that content is a mapping.

    Raises:
        ConfigError: It is none.
    """
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where} is {content!r}, not a mapping.", "Write `key: value` lines below it.")


def check_keys(content: Any, where: str, at: str = "", kinds: tuple[type, ...] = (str, int)) -> None:
    """Check the keys of content, at every depth.

    Raises:
        ConfigError: A key is neither a text nor a whole number.
    """
    if isinstance(content, Mapping):
        for key, value in content.items():
            if not isinstance(key, kinds):
                raise ConfigError(f"{where}: the key {at}{key} is no text.", "Put quotes around it.")
            check_keys(value, where, f"{at}{key}.", kinds)
    elif isinstance(content, list):
        for value in content:
            check_keys(value, where, at, kinds)


def check_overrides(overrides: Iterable[tuple[str, Any]], where: str) -> None:
    """Check the dotted keys of a file as `check_config` does.

    Args:
        overrides: Pairs of a dotted key and a value: ("trainer.callbacks", "EarlyStopping").
        where: The file, for messages.

    Raises:
        ConfigError: As `check_config`.
    """
    for key, value in overrides:
        content = value
        for name in reversed(key.split(".")):
            content = {name.removesuffix("+"): content}
        check_config(content, where)


def check_no_resolvers(content: Any, where: str, at: str = "") -> None:
    """Check that no text is a resolver of OmegaConf, such as `${oc.env:NAME}`.

    A resolver would read the environment, and its value would be stored in the files of a run. `${key}`, the value of
    another key, is no resolver.

    Args:
        content: Plain content.
        where: The file or option, for messages.
        at: Dotted key of the content, for messages.

    Raises:
        ConfigError: A text is a resolver.

    Example:
        >>> check_no_resolvers({"title": "${oc.env:HOME}"}, "a.yaml")
        Traceback (most recent call last):
        ...
        zoo.errors.ConfigError: a.yaml: title is '${oc.env:HOME}', which reads the environment. Write the value itself.
    """
    if isinstance(content, str):
        if ":" in content.partition("${")[2]:
            named = f"{where}: {at.removesuffix('.')} is" if at else f"{where}:"
            raise ConfigError(f"{named} {content!r}, which reads the environment.", "Write the value itself.")
        _check_inner_yaml(content, where)
    elif isinstance(content, Mapping):
        for key, value in content.items():
            check_no_resolvers(str(key), where, f"{at}{key}.")
            check_no_resolvers(value, where, f"{at}{key}.")
    elif isinstance(content, list | tuple):
        for value in content:
            check_no_resolvers(value, where, at)


def _check_inner_yaml(text: str, where: str) -> None:
    """Check a text that the parser of the command line may read as YAML: its aliases may repeat many values."""
    if "&" in text and "*" in text:
        try:
            parse_yaml(text)
        except TooLargeError as error:
            raise ConfigError(f"{where}: {error}.", "Write the values themselves.") from error
        except ValueError:  # it is a plain text
            return


def _classes(content: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yield the dotted key and the name of each class and function in the section of the trainer."""
    name = key.rpartition(".")[2]
    if isinstance(content, str):
        content = parse_value(content)
    if isinstance(content, Mapping):
        for inner, value in content.items():
            if inner in ("class_path", *FUNCTION_ARGUMENTS) and value is not None:
                yield key, str(value)
            else:
                same = inner in ("init_args", "dict_kwargs")
                yield from _classes(value, key if same else f"{key}.{inner}")
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _classes(value, key)
    elif isinstance(content, str) and (
        name in _ALWAYS_CLASSES or (name in _CLASS_KEYS and not _REGISTERED.fullmatch(content))
    ):
        yield key, content


def _is_allowed(path: str) -> bool:
    module, _, name = path.rpartition(".")
    of_lightning = not module or f"{module}.".startswith("lightning.pytorch.")
    ours = module.startswith("zoo.") and name[:1].isupper()
    return ours or (of_lightning and name in ALLOWED_CLASSES) or path in allowed_classes()
