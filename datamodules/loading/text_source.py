"""The text of every batch: class prompts and reports of a split, also under a text control."""

from __future__ import annotations

import logging
from collections import ChainMap
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from zoo.text.controls import (
    BLANK,
    EXCHANGED,
    NAMES,
    PARAPHRASE,
    SHUFFLED,
    TRUE,
    control_classes,
    control_reports,
    replace_prompt,
)
from zoo.text.exchanges import from_other_images, within_images
from zoo.types import Case, CaseKey, ClassPrompt
from zoo.utils.hashing import hash_json

_STREAM = 0x7E87
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SplitText:
    """The text that the batches of one split carry.

    Attributes:
        classes: One class prompt per class, the same for all samples.
        reports: The report of each case; None where the data set has no reports.
        wordings: The further texts of cases that have some, for training.
        class_wordings: The further texts of each class that a training draws among; empty where it draws none.
        batch_size: Samples of a training step over all processes.
    """

    classes: tuple[ClassPrompt, ...]
    reports: Mapping[CaseKey, str] | None = None
    wordings: Mapping[CaseKey, tuple[str, ...]] = field(default_factory=dict)
    class_wordings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    batch_size: int = 1

    def reports_of(self, keys: Sequence[CaseKey]) -> list[str] | None:
        """The reports of these cases, in their order; None where the data set has no reports."""
        return None if self.reports is None else [self.reports[key] for key in keys]

    def draw_reports(self, keys: Sequence[CaseKey], draws: Sequence[int], seed: int) -> list[str] | None:
        """One text of each case: its report or one of its wordings, a pure function of draw number and seed.

        Args:
            keys: The cases.
            draws: The draw number of each case.
            seed: Seed of the draws.
        """
        reports = self.reports_of(keys)
        if reports is None or not self.wordings:
            return reports
        texts = [(report, *self.wordings.get(key, ())) for report, key in zip(reports, keys, strict=True)]
        return [own[_choose(len(own), draw, seed)] for own, draw in zip(texts, draws, strict=True)]

    def draw_classes(self, draw: int, seed: int) -> tuple[ClassPrompt, ...]:
        """The class prompts of a training step: of each class its own or one of its wordings.

        They depend on the step and the seed, so that all processes have the same.

        Args:
            draw: The draw number of any sample of the step.
            seed: Seed of the draws.
        """
        step, drawn = draw // self.batch_size, []
        for number, prompt in enumerate(self.classes):
            texts = self.class_wordings.get(prompt.name, ())
            chosen = _choose(1 + len(texts), step, seed, number)
            drawn.append(replace_prompt(prompt, texts[chosen - 1]) if chosen else prompt)
        return tuple(drawn)


class TextSource:
    """The text of a data set: the same route for training and evaluation.

    A text control changes the text of val and test. The train split always has its true text.

    Args:
        prompts: The true class prompts.
        has_reports: Whether every case has a report.
        cases_of: Gives the cases of a split.
        control: The text control, one of `zoo.text.controls.CONTROLS`.
        seed: Seed of the shuffled and the rewritten text.
        contradicting: Ids of the images whose report is known to name a side without a finding.
        wordings: Gives the further wordings of each class; None for a data set without.
        drawn: Number of wordings of each class that a training draws among, from the first one on. A control then
            takes the others, which no training has read.
        batch_size: Samples of a training step over all processes.
        written: Gives the texts that the data set itself has for a control; None for a control without.
    """

    def __init__(
        self,
        prompts: tuple[ClassPrompt, ...],
        has_reports: bool,
        cases_of: Callable[[str], Iterable[Case]],
        control: str = TRUE,
        seed: int = 0,
        contradicting: Container[str] = frozenset(),
        wordings: Callable[[], Mapping[str, Sequence[str]] | None] = lambda: None,
        written: Callable[[str], Mapping[CaseKey, str] | None] = lambda control: None,
        drawn: int = 0,
        batch_size: int = 1,
    ) -> None:
        self.prompts, self.has_reports, self.control, self.seed = prompts, has_reports, control, seed
        self._cases_of, self._contradicting, self._wordings = cases_of, contradicting, wordings
        self._written, self._drawn, self._batch_size = written, drawn, batch_size

    def for_split(self, split: str) -> SplitText:
        """The text of a split.

        Args:
            split: "train", "val" or "test".

        Raises:
            NotApplicableError: The text control does not apply: there is nothing to exchange or to rewrite.
        """
        if split == "train" and self._drawn and not self.has_reports:
            return SplitText(self.prompts, class_wordings=self._take(0, self._drawn), batch_size=self._batch_size)
        return self._of_cases(self._cases_of(split), TRUE if split == "train" else self.control)

    def for_groups(self, groups: Iterable[Sequence[Case]]) -> SplitText:
        """The text of groups of cases that are evaluated; shuffled text is exchanged within a group.

        Raises:
            NotApplicableError: The text control does not apply to a group.
        """
        texts = [self._of_cases(group, self.control) for group in groups if group]
        reports = [text.reports for text in texts if text.reports is not None]
        return SplitText(texts[0].classes, dict(ChainMap(*map(dict, reports))) if reports else None)

    def _of_cases(self, cases: Iterable[Case], control: str) -> SplitText:
        if not self.has_reports:
            held_out = self._take(self._drawn, None) if self._drawn else self._wordings()
            return SplitText(control_classes(self.prompts, control, self.seed, held_out))
        cases = list(cases)
        reports = {case.key: case.report or "" for case in cases}
        wordings = {case.key: case.wordings for case in cases if case.wordings}
        if control == PARAPHRASE and wordings:
            return SplitText(self.prompts, self._reword(reports, wordings))
        if control in (SHUFFLED, EXCHANGED) and any(key.query for key in reports):
            exchange = from_other_images if control == SHUFFLED else within_images
            return SplitText(self.prompts, exchange(reports, self.seed))
        without_text = control in (BLANK, NAMES)  # other reports are beside the true class prompts
        classes = control_classes(self.prompts, control) if without_text else self.prompts
        names = [prompt.name for prompt in self.prompts]
        contradicting = frozenset(case.key for case in cases if case.case_id in self._contradicting)
        texts = control_reports(reports, control, self.seed, names, contradicting, self._written(control))
        return SplitText(classes, texts, wordings)

    def _take(self, first: int, last: int | None) -> dict[str, tuple[str, ...]]:
        """The wordings of each class from `first` to before `last`."""
        return {name: tuple(texts[first:last]) for name, texts in (self._wordings() or {}).items()}

    def _reword(self, reports: dict[CaseKey, str], wordings: Mapping[CaseKey, Sequence[str]]) -> dict[CaseKey, str]:
        """One of the wordings of each case, by the seed; a case without wordings keeps its report."""
        if len(wordings) < len(reports):
            count = len(reports) - len(wordings)
            log.warning("text '%s': %d of %d cases have no other wording.", PARAPHRASE, count, len(reports))
        return reports | {key: own[self.seed % len(own)] for key, own in wordings.items()}

    def hash_of(self, cases: Iterable[Case]) -> str:
        """SHA-256 of the true class prompts and, where the data set has reports, of all texts of each case."""
        cases = list(cases) if self.has_reports else []
        content = {
            "classes": [list(prompt) for prompt in self.prompts],
            "reports": {str(case.key): case.report for case in cases},
        }
        wordings = {str(case.key): list(case.wordings) for case in cases if case.wordings}
        drawn = {name: list(texts) for name, texts in self._take(0, self._drawn).items()} if self._drawn else {}
        content |= {"wordings": wordings} if wordings else {}
        return hash_json(content | ({"class_wordings": drawn} if drawn else {}))


def _choose(count: int, draw: int, seed: int, *more: int) -> int:
    """A number below `count`. The stream is another one than that of the patches."""
    return int(np.random.default_rng((seed, draw, _STREAM, *more)).integers(count))
