"""A user's own data. Options and a small file beside the data complete the card.

The card of a registered data set has its classes, channels, prompts and text track. Here the card has what all own
data share; what is found beside the data replaces its values before anything reads them. Thus `facts` is complete when
the command line gives it to the model, and a checkpoint stores it as for every data set.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from datamodules.bases.base import SegDataModule
from datamodules.files.class_values import have_common_value
from datamodules.files.find_files import find_file, path_exists
from datamodules.index.checks import raise_first_finding
from datamodules.loading.prepared_cases import PreparedCases
from zoo.errors import ConfigError, DataError
from zoo.preprocessing.apply import PreparedCase
from zoo.text.prompt_files import CONCEPTS, load_prompts, prompt_version
from zoo.types import TRACKS, Case, CaseKey, ClassPrompt
from zoo.utils.activity import track
from zoo.utils.hashing import hash_bytes, hash_json
from zoo.utils.safe_text import is_printable

_END = 1 << 16  # the last bytes of a packed volume are its checksum, and most pictures are smaller
PROMPTS = "prompts.yaml"
"""Name of the prompt file beside the data."""

_OPTIONAL: dict[str, tuple[Callable[[Any, int], bool], str]] = {
    "laterality": (lambda fact, dims: fact in ("image", "patient"), "image or patient"),
    "flips": (
        lambda fact, dims: isinstance(fact, list) and all(type(axis) is int and 0 <= axis < dims for axis in fact),
        "a list of axes, counted from 0: [1]",
    ),
    "tolerance": (lambda fact, dims: type(fact) in (int, float) and fact > 0, "a number above 0"),
    "empty_masks": (lambda fact, dims: isinstance(fact, bool), "true or false"),
    "exclusive": (lambda fact, dims: isinstance(fact, bool), "true or false"),
}
"""What a user may write beside the data: the check of the value, and what a correct value is."""


class OwnDataModule(SegDataModule):
    """Own data. A subclass completes the card with `describe`.

    Args:
        prompts: Prompt file in the form of `configs/prompts`, searched beside the data first; default `prompts.yaml`.
            Without a prompt file, the text of a class is its name.
        title: Name of the data. Training and scoring need it (`facts`, `setup`), because it tells two data sets of a
            user apart: the folder differs between machines, so that it is no part of the identity of a run. The
            commands of `zoo data` make no run and need no title.
        **kwargs: See `SegDataModule`.
    """

    def __init__(self, prompts: str | None = None, title: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prompt_path = prompts
        self.title = str(title if title is not None else "").strip()
        if not is_printable(self.title):
            raise ConfigError(f"--data.title {self.title!r}: not one printable line.", "Write the title in one line.")
        if self.title:
            self.card = replace(self.card, title=self.title)

    @property
    def facts(self) -> dict[str, Any]:
        """See `SegDataModule.facts`.

        Raises:
            ConfigError: The data has no title.
        """
        self._check_title()
        return super().facts

    def setup(self, stage: str | None = None) -> None:
        """See `SegDataModule.setup`. It checks the title as well, because a model of another package may take no facts.

        Raises:
            ConfigError: The data has no title.
        """
        self._check_title()
        if stage != "predict":
            super().setup(stage)
            return
        self.text_source.for_groups(self.cases_to_predict)
        for case in track([case for group in self.cases_to_predict for case in group], "preparing case"):
            self.prepared(case)

    @abstractmethod
    def list_labelled(self) -> list[Case]:
        """List the cases with a label in file order. Reads listings and captions, not images."""

    @abstractmethod
    def list_unlabelled(self) -> list[Case]:
        """List the cases that are only predicted, because they have no label."""

    def list_cases(self) -> list[Case]:
        """See `SegDataModule.list_cases`.

        Raises:
            DataError: No case has a label.
        """
        found = self.list_labelled()
        if not found:
            fix = "Add the labels. `zoo predict --out RUN --data.root DIR` takes cases without labels."
            raise DataError(f"{self.folder}: no case has a label.", fix)
        return found

    @cached_property
    def unlabelled(self) -> dict[CaseKey, Case]:
        """The cases without a label by their keys. If no label file exists at all, these are all cases.

        Raises:
            DataError: The first finding of `datamodules.index.checks`.
        """
        found = [*self.list_unlabelled(), *(replace(case, label=None) for case in self._without_any_label)]
        raise_first_finding(found, self.card.has_reports, self.name)
        return {case.key: case for case in found}

    @cached_property
    def cases_to_predict(self) -> tuple[list[Case], list[Case]]:
        """The cases of the test split, and the cases without a label.

        Raises:
            DataError: There are none, or two of them have one name.
        """
        has_labels = bool(self.list_labelled()) and not self._without_any_label
        tested = self.index.cases_of("test") if has_labels else []
        double = next((case for case in tested if case.key in self.unlabelled), None)
        if double:
            problem = f"{self.unlabelled[double.key].images[0]}: the name of a case with a label ({double.images[0]})."
            raise DataError(problem, "Rename it.", "case_twice")
        if not tested and not self.unlabelled:
            raise DataError(f"{self.folder}: no case to predict.", "Give the folder of your cases with --data.root.")
        return tested, list(self.unlabelled.values())

    @cached_property
    def _without_any_label(self) -> list[Case]:
        """All cases whose label should exist, where no label exists: new scans in the layout of training data."""
        cases = self.list_labelled()
        return [] if any(case.label is not None and path_exists(case.label) for case in cases) else cases

    def prepared(self, case: Case) -> PreparedCase:
        """See `SegDataModule.prepared`."""
        return super().prepared(case) if case.label is not None else self._prepared_unlabelled.get(case)

    @cached_property
    def _prepared_unlabelled(self) -> PreparedCases:
        return self.prepared_cases.for_others(lambda: self.unlabelled)

    def predict_dataloader(self) -> DataLoader[Any]:
        """The test cases and the cases without a label."""
        cases = [case for group in self.cases_to_predict for case in group]
        return self._loader(cases, self.text_source.for_groups(self.cases_to_predict), "test")

    @cached_property
    def prompts(self) -> tuple[ClassPrompt, ...]:
        """The class prompts of a file, or prompts made of the names."""
        file = self._prompt_file
        return plain_prompts(self.labels.names) if file is None else load_prompts(file, self.labels.names)

    @cached_property
    def prompt_version(self) -> int:
        """See `SegDataModule.prompt_version`."""
        return 0 if self._prompt_file is None else prompt_version(self._prompt_file)

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over the files of each case: name, size, first and last bytes.

        Two folders may have the same title and case names, so that their splits have one hash; this hash differs. It
        depends on no path and no date, so that a copy of the data has the same hash.
        """
        files = {
            str(case.key): [_fingerprint(path) for path in (*case.images, *([case.label] if case.label else []))]
            for case in self.cases.values()
        }
        return hash_json(files)

    @property
    def _prompt_file(self) -> Path | str | None:
        """The prompt file beside the data or at the given path; None where there is none."""
        given = self.prompt_path or PROMPTS
        beside = find_file(self.folder, given)
        if beside.is_file() or self.prompt_path:
            return beside if beside.is_file() else given
        return None

    def describe(self, **facts: Any) -> None:
        """Replace values of the card.

        Raises:
            ConfigError: The text track is unknown.
            DataError: A value beside the data is not correct.
        """
        for key, (fits, expected) in _OPTIONAL.items():
            if key in facts and not fits(facts[key], self.card.spatial_dims):
                raise DataError(f"{self.folder}: {key} is {facts[key]!r} beside the data.", f"Write {expected}.")
        if facts["track"] not in TRACKS:
            raise ConfigError(f"{self.name}: the text track '{facts['track']}' is unknown.", f"Known: {TRACKS}.")
        facts |= {"flips": tuple(facts.get("flips", ()))}
        try:
            self.card = replace(self.card, **facts)
        except ValueError as error:
            raise DataError(f"{self.folder}: {error}.", "Leave some out, or join some to one class.") from error
        if self.card.exclusive and have_common_value(self.card.classes):
            fix = "Write `exclusive: false`, or leave it out."
            raise DataError(f"{self.folder}: exclusive classes with a common value.", fix)

    def _check_title(self) -> None:
        if not self.title:
            raise ConfigError(f"{self.name}: the data has no title.", "Give --data.title NAME; runs and tables use it.")


def plain_prompts(names: Sequence[str]) -> tuple[ClassPrompt, ...]:
    """Make prompts from the names of classes: "Left kidney.", "Left kidney, shape.", ..."""
    prompts = []
    for name in names:
        words = name.replace("_", " ").capitalize()
        prompts.append(ClassPrompt(name, f"{words}.", tuple(f"{words}, {concept}." for concept in CONCEPTS)))
    return tuple(prompts)


def _fingerprint(path: Path) -> list[str | int]:
    """Name and size of a file, and the hash of its first and last `_END` bytes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        ends = file.read(_END)
        file.seek(max(size - _END, 0))
        ends += file.read(_END)
    return [path.name, size, hash_bytes([ends])]
