"""`ZooCLI`: Lightning's command line under our layers. It parses first and builds later."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, NoReturn

import torch
import yaml
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import Logger

from zoo.callbacks.checkpoints import AtomicCheckpointIO
from zoo.callbacks.progress import RunProgressBar
from zoo.config import Composed, Config
from zoo.engine.arguments import Flag, Request
from zoo.engine.check_arguments import check_trainer, check_types, names_of, set_texts
from zoo.engine.cpu_allocator import keep_freed_memory
from zoo.engine.key_checks import EVERY_KEY, check_keys
from zoo.engine.known_faults import describe_cudnn_fault
from zoo.engine.refusals import explain_construction
from zoo.engine.training_options import divide_batch
from zoo.errors import ConfigError
from zoo.models.finite_values import FiniteModule, FiniteValues
from zoo.utils.class_args import argument_names, first_reason, is_text
from zoo.utils.config_files import check_no_resolvers
from zoo.utils.config_values import without_refused
from zoo.utils.lazy import public_path
from zoo.utils.literal_text import dump_quoted
from zoo.utils.plugins import import_object

_BASES = {"model": LightningModule, "data": LightningDataModule}
_MAX_MESSAGE = 500

log = logging.getLogger(__name__)


class Parser(LightningArgumentParser):
    """A parser that reports a mistake in one line and not with a page of usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the message of the parser as a `ConfigError`.

        Raises:
            ConfigError: Always.
        """
        line = " ".join(first_reason(message).replace(EVERY_KEY, "").split())
        short = line if len(line) <= _MAX_MESSAGE else f"{line[:_MAX_MESSAGE]} ..."
        raise ConfigError(short, EVERY_KEY) from ex


class ZooCLI(LightningCLI):
    """Parses one command. `build` makes the objects later, after the run folder has been checked.

    Args:
        config: The merged layers.
        flags: The flags of the command; they override the layers.
        where_accepted: Values of the layers that are left out where a class has no such argument.

    Raises:
        ConfigError: A key is unknown (the message has the most similar keys), or a value has the wrong type.
    """

    datamodule: LightningDataModule
    model: LightningModule
    trainer: Trainer

    def __init__(self, config: Config, flags: Iterable[Flag], where_accepted: Mapping[str, Any] | None = None) -> None:
        self.flags = flags = tuple(flags)
        for key, value in flags:
            check_no_resolvers(value, f"--{key}")
        classes = {section: _import_section(section, config) for section in _BASES}
        for section, kind in classes.items():
            config = {
                **config,
                section: {**config[section], "class_path": public_path(kind, config[section]["class_path"])},
            }
        self._classes = classes
        self._accepted = {section: argument_names(kind) for section, kind in classes.items()}
        config = without_refused(config, where_accepted or {}, self._accepted)
        check_keys(config, flags, names_of(classes))
        self._trainer_arguments: dict[str, Any] = {}
        self._linked: list[tuple[str, str]] = []
        self._dumped: Config | None = None
        try:
            with explain_construction(flags):
                self._parse(*set_texts(config, flags, classes))
        except ConfigError:
            check_types(config, flags, classes)
            raise
        check_trainer(self.config.trainer.as_dict())

    @classmethod
    def from_request(cls, request: Request, composed: Composed, extra: Sequence[Flag] = ()) -> ZooCLI:
        """Parse a command.

        Args:
            request: The command.
            composed: Its merged layers (`compose_request`).
            extra: Flags over those of the command.

        Raises:
            ConfigError: As the constructor.
        """
        seed = [] if request.seed is None else [("seed_everything", str(request.seed))]
        cli = cls(composed.config, [*seed, *request.flags, *extra], composed.where_accepted)
        divide_batch(request, cli.config)
        return cli

    def _parse(self, config: Config, flags: Iterable[Flag]) -> None:
        super().__init__(
            LightningModule,
            LightningDataModule,
            save_config_callback=None,  # `RunRecord` writes it completely, on one rank
            seed_everything_default=0,
            parser_class=Parser,
            parser_kwargs={"parser_mode": "omegaconf"},
            subclass_mode_model=True,
            subclass_mode_data=True,
            args=["--config", dump_quoted(config), *(f"--{key}={value}" for key, value in flags)],
            run=False,
            auto_configure_optimizers=False,  # a model has its own optimiser and schedule
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link the arguments that must agree, if the two classes have them; classes of other packages may lack them."""
        parser.add_argument("--init_from", type=str | None, default=None)
        parser.add_argument("--plan", type=dict[str, str] | None, default=None)
        if "facts" in self._accepted["model"]:
            parser.link_arguments("data.facts", "model.init_args.facts", apply_on="instantiate")
            self._linked.append(("model", "facts"))
        if "seed" in self._accepted["data"]:
            parser.link_arguments("seed_everything", "data.init_args.seed", apply_on="parse")
            self._linked.append(("data", "seed"))

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the given arguments and ignore those of the process."""
        self.config = parser.parse_args(args)

    def resolved(self) -> Config:
        """Return every key with its value, without linked keys. The same run results from this configuration.

        The key `init_from` is the hash of the weights of `--init-from`, and `plan` has the hashes of a planned size.
        """
        with explain_construction(self.flags):
            config = self._dump()
        for section, name in self._linked:
            arguments = config[section].get("init_args", {})
            arguments.pop(name, None)
            if not arguments:
                config[section].pop("init_args", None)
        config.pop("config", None)
        for key in ("init_from", "plan"):  # only a run that has it is printed with it
            if config.get(key) is None:
                config.pop(key, None)
        return config

    def _dump(self) -> Config:
        """Return the configuration as plain Python. The parser, which reads values again, does not see the texts."""
        if self._dumped is None:  # the parser checks every value again, which takes as long as to parse them
            self._dumped = self._make_dump()
        return deepcopy(self._dumped)

    def _make_dump(self) -> Config:
        config = self.config.clone()
        places = [
            (section, name)
            for section, kind in self._classes.items()
            for name, value in (config[section].get("init_args") or {}).items()
            if isinstance(value, str) and is_text(kind, name)
        ]
        for number, (section, name) in enumerate(places):
            config[section]["init_args"][name] = f"text-{number}"
        dumped: Config = yaml.safe_load(self.parser.dump(config, skip_link_targets=False, skip_unset=False))
        for section, name in places:
            dumped[section]["init_args"][name] = self.config[section]["init_args"][name]
        return dumped

    def _dump_config(self) -> None:
        """Keep the arguments that a checkpoint stores; Lightning calls this before it builds each class."""
        self.config_dump = self._dump()

    def instantiate_classes(self) -> None:
        """Build nothing yet: the run folder is checked between parsing and building."""

    def build(self, **trainer: Any) -> None:
        """Build data, model and trainer.

        Args:
            **trainer: Arguments of the trainer. They override the configured arguments; callbacks and loggers are
                added to the configured ones.

        Raises:
            ZooError: A constructor refuses a value, for example an unknown encoder, or a device that is not there.
        """
        self._trainer_arguments = trainer
        with explain_construction(self.flags):
            super().instantiate_classes()
        if self.trainer.strategy.root_device.type == "cuda":
            dims = getattr(getattr(self.model, "facts", None), "spatial_dims", 0)
            fault = describe_cudnn_fault(torch.backends.cudnn.version(), str(self.trainer.precision), dims)
            if fault:
                log.warning(fault)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the configured trainer with the arguments that every run has."""
        configured = self.config_init["trainer"]
        if not _on_gpu(configured.get("accelerator")):
            keep_freed_memory()
        ours = self._trainer_arguments
        callbacks, plugins = (_as_list(configured.get(key)) for key in ("callbacks", "plugins"))
        chosen = configured.get("enable_progress_bar")
        progress = sys.stderr.isatty() and sys.stdout.isatty() if chosen is None else chosen
        callbacks = [*callbacks, *ours.get("callbacks", [])]
        bars = [RunProgressBar()] if progress and not any(isinstance(one, ProgressBar) for one in callbacks) else []
        # Our models bring this callback along, for trainers in Python too.
        checks = [] if isinstance(self.model, FiniteModule) else [FiniteValues()]
        if configured.get("num_sanity_val_steps") is None:
            ours = ours | {"num_sanity_val_steps": 1}  # Lightning's own default is 2; a second batch shows nothing new
        arguments: dict[str, Any] = ours | {
            "callbacks": [*callbacks, *bars, *checks],
            "plugins": [*plugins, AtomicCheckpointIO()],
            "logger": _loggers(configured.get("logger"), ours.get("logger")),
            # Our evaluation samplers visit each case once; those of Lightning would add cases that are scored twice.
            "use_distributed_sampler": False,
            "enable_progress_bar": progress,
            # torch has synchronised batch normalisation for GPUs only.
            "sync_batchnorm": bool(configured.get("sync_batchnorm")) and _on_gpu(configured.get("accelerator")),
            "enable_model_summary": bool(configured.get("enable_model_summary")),
        }
        return super().instantiate_trainer(**arguments)


def _on_gpu(accelerator: Any) -> bool:
    return accelerator != "cpu" and torch.cuda.is_available()


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def _loggers(configured: Any, ours: list[Logger] | None) -> list[Logger] | bool:
    """Return our loggers and the configured ones; none in evaluation or with `--trainer.logger false`."""
    if configured is False or not ours:
        return False
    return [*ours, *(logger for logger in _as_list(configured) if isinstance(logger, Logger))]


def import_class(section: str, path: str) -> type:
    """Import the class of a dotted path.

    Args:
        section: "model" or "data".
        path: The dotted path.

    Raises:
        ConfigError: The class cannot be imported, or is no LightningModule or LightningDataModule.
    """
    try:
        found = import_object(path)
    except ImportError as error:
        raise ConfigError(
            f"--{section}: {path} cannot be imported: {error}.",
            "Install its package, or add its folder to the path: `PYTHONPATH=. zoo ...`.",
        ) from error
    base = _BASES[section]
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"--{section}: {path} is no {base.__name__}.", "Name a subclass of it.")
    return found


def _import_section(section: str, config: Mapping[str, Any]) -> type:
    """Import the class that a section of the merged layers names."""
    path = (config.get(section) or {}).get("class_path")
    if not path:
        listing = "zoo list models" if section == "model" else "zoo list data"
        raise ConfigError(f"--{section} is missing.", f"Name one of `{listing}`: --{section} NAME.")
    return import_class(section, path)
