"""What a data set's card says of it: classes, prompts, protocols, folder. Reads no data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.acquire.sources import folder_of, home_of
from zoo.errors import ConfigError, UnknownNameError
from zoo.registry import DATA
from zoo.text.prompt_files import load_prompts, prompt_version
from zoo.types import ClassPrompt, DataFacts, LabelSpace


class SaidByCard:
    """The facts of a card, for a class that has its `about` and the options that they depend on.

    Attributes:
        name: The set's registered name.
        about: The card's `about`.
        root: As the user gave it.
        patch: Size of a training patch.
        protocol: Name of the split.
    """

    name: str = ""
    about: Mapping[str, Any]
    root: str | None
    patch: tuple[int, ...]
    protocol: str

    @cached_property
    def labels(self) -> LabelSpace:
        """The label space of the card, or that part of it which the protocol is about."""
        kept = self._kept
        values = tuple(tuple(int(v) for v in values) for values in kept.values())
        return LabelSpace(tuple(kept), values, bool(self.about.get("exclusive", True)))

    @cached_property
    def dropped(self) -> tuple[int, ...]:
        """The label values of the classes that the protocol leaves out."""
        kept = {int(v) for values in self._kept.values() for v in values}
        return tuple(sorted({int(v) for values in self.about["classes"].values() for v in values} - kept))

    @cached_property
    def prompts(self) -> tuple[ClassPrompt, ...]:
        """The true class prompts."""
        prompts = load_prompts(self.about["prompts"], tuple(self.about["classes"]))
        return tuple(prompt for prompt in prompts if prompt.name in self.labels.names)

    @cached_property
    def prompt_version(self) -> int:
        """The version of the class prompts; 0 where they are but the classes' names."""
        return prompt_version(self.about["prompts"])

    @property
    def facts(self) -> dict[str, Any]:
        """What a model must know (`DataFacts.to_dict`)."""
        return DataFacts(
            name=self.name,
            spatial_dims=self.about["spatial_dims"],
            in_channels=self.about["in_channels"],
            patch=self.patch,
            labels=self.labels,
            prompts=self.prompts,
            prompt_version=self.prompt_version,
            track=self.about["track"],
            tolerance=float(self.about.get("tolerance", 2.0)),
        ).to_dict()

    @property
    def embedded(self) -> bool:
        """Whether the set is generated and has no files."""
        return bool(self.about.get("embedded", False))

    @property
    def has_reports(self) -> bool:
        """Whether every case comes with a report."""
        return self.about["track"] in ("report", "mask-derived")

    @property
    def home(self) -> str:
        """The name of its folder in `ZOO_DATA` and in the cache: cards of one archive have one."""
        return home_of(DATA.get(self.name))

    @cached_property
    def folder(self) -> Path:
        """The folder of the set.

        Raises:
            DataError: Neither `root` nor `ZOO_DATA` leads to a folder.
        """
        return folder_of(DATA.get(self.name), self.root)

    @property
    def declares_leak(self) -> bool:
        """Whether the protocol's card says that it parts subjects."""
        return bool(self._of_protocol("leaks", False))

    @property
    def has_own_test(self) -> bool:
        """Whether the protocol's test part is the set's own, which no k-fold deals anew."""
        return bool(self._of_protocol("own_test", False))

    @cached_property
    def _kept(self) -> dict[str, Any]:
        """The classes of the protocol with their values, in the card's order."""
        classes = self.about["classes"]
        kept = self._of_protocol("classes", list(classes))
        return {name: values for name, values in classes.items() if name in kept}

    def _of_protocol(self, key: str, default: Any) -> Any:
        return self.about["protocols"][self.protocol].get(key, default)

    def _known_protocol(self, protocol: str | None) -> str:
        """The protocol's name, the card's first where none is given.

        Raises:
            UnknownNameError: No such protocol.
        """
        known = self.about["protocols"]
        if protocol is not None and protocol not in known:
            raise UnknownNameError("protocol", protocol, known, f"zoo show {self.name}")
        return protocol or str(next(iter(known)))

    def _check_patch(self) -> None:
        """That the patch has the set's dimensions.

        Raises:
            ConfigError: It has not.
        """
        if len(self.patch) != self.about["spatial_dims"] or min(self.patch) < 1:
            raise ConfigError(
                f"--data.patch {list(self.patch)} does not fit {self.name}.",
                f"Give {self.about['spatial_dims']} positive numbers.",
            )
