"""Text controls: the true text, the text of another case, empty text, the names of the classes, or rewritten text."""

from __future__ import annotations

from collections.abc import Container, Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from zoo.errors import NotApplicableError
from zoo.text.laterality import exchange_sides, names_side
from zoo.text.rewrites import REWRITES, rewrite
from zoo.types import ClassPrompt

T = TypeVar("T", bound=Hashable)
K = TypeVar("K", bound=Hashable)
TRUE, SHUFFLED, BLANK, NAMES = "true", "shuffled", "blank", "names"
EXCHANGED, PARAPHRASE, CONTRADICT = "exchanged", "paraphrase", "contradict"
DEFAULT_CONTROLS = (TRUE, SHUFFLED, BLANK, NAMES)
"""The texts of a benchmark that names none."""

_ONE_QUERY = "an image has one query, and there is nothing to exchange within it."

CONTROLS = (*DEFAULT_CONTROLS, EXCHANGED, *REWRITES)


def plain(name: str) -> str:
    """The name of a class in plain words: "right kidney"."""
    return name.replace("_", " ")


def replace_prompt(prompt: ClassPrompt, text: str) -> ClassPrompt:
    """The prompt of a class in another wording: the sentence and each concept are the text.

    So a model gets as many texts as in training. The name stays, because it is no text of the user.

    Example:
        >>> replace_prompt(ClassPrompt("liver", "The liver.", ("Large.", "Brown.")), "The largest organ.")
        ClassPrompt(name='liver', sentence='The largest organ.', concepts=('The largest organ.', 'The largest organ.'))
    """
    return prompt._replace(sentence=text, concepts=(text,) * len(prompt.concepts))


def control_reports(
    reports: Mapping[K, str],
    control: str,
    seed: int = 0,
    names: Sequence[str] = (),
    contradicting: Container[K] = frozenset(),
    written: Mapping[K, str] | None = None,
) -> dict[K, str]:
    """The reports of cases under a text control.

    "shuffled" exchanges the distinct strings in one seeded cycle. Every case gets a string that differs from its own,
    and equal reports stay equal. A rule of `zoo.text.rewrites` rewrites each report.

    Args:
        reports: The report of each case, by its key.
        control: One of `CONTROLS`.
        seed: Seed of the exchange.
        names: The names of the classes, which are the report of every case under "names".
        contradicting: The cases whose own report is known to name a side without a finding. "contradict" leaves it.
        written: The texts that the data set has for this control, which take the place of the rule; None without.

    Raises:
        NotApplicableError: The control is "shuffled", and all reports are the same string; or a rule does not know the
            form of a report; or the data set has no text of the control for a case.
    """
    if control == BLANK:
        return dict.fromkeys(reports, "")
    if control == NAMES:
        return dict.fromkeys(reports, ", ".join(map(plain, names)))
    if control == TRUE:
        return dict(reports)
    if control == EXCHANGED:
        raise NotApplicableError(f"text '{EXCHANGED}': {_ONE_QUERY}", "Use --data.text shuffled instead.")
    if written is not None:
        return _take_written(reports, control, written)
    if control in REWRITES:
        kept = contradicting if control == CONTRADICT else frozenset[K]()
        return {key: report if key in kept else rewrite(report, control, seed) for key, report in reports.items()}
    distinct = sorted(set(reports.values()))
    if len(distinct) < 2:
        raise NotApplicableError("text 'shuffled': all reports are the same string.", "Use --data.text blank instead.")
    exchange = _cycle(distinct, seed)
    return {key: exchange[report] for key, report in reports.items()}


def control_classes(
    classes: tuple[ClassPrompt, ...], control: str, seed: int = 0, wordings: Mapping[str, Sequence[str]] | None = None
) -> tuple[ClassPrompt, ...]:
    """The class prompts under a text control; name, sentence and concepts stay together.

    Under "names" the text of a class is its plain name, under "paraphrase" the wording of the number `seed`
    (`replace_prompt`). "contradict" exchanges left and right.

    Args:
        classes: The true class prompts.
        control: One of `CONTROLS`.
        seed: Seed of the exchange, and number of the wording.
        wordings: Class -> its further wordings; None where the data set has none.

    Raises:
        NotApplicableError: The control is "shuffled", and there is only one class or two classes have the same text. Or
            the prompts cannot be rewritten in this way.
    """
    if control == BLANK:
        return tuple(ClassPrompt("", "", ("",) * len(prompt.concepts)) for prompt in classes)
    if control == NAMES:
        return tuple(replace_prompt(prompt, plain(prompt.name)) for prompt in classes)
    if control == TRUE:
        return classes
    if control == EXCHANGED:
        raise NotApplicableError(f"text '{EXCHANGED}': {_ONE_QUERY}", "Use --data.text shuffled instead.")
    if control in REWRITES:
        return _rewrite_classes(classes, control, seed, wordings)
    if len(set(classes)) < max(2, len(classes)):
        raise NotApplicableError(
            f"text 'shuffled': {len(classes)} class prompt(s) and no reports: there is nothing to exchange.",
            "Use --data.text blank instead.",
        )
    exchange = _cycle(classes, seed)
    return tuple(exchange[prompt] for prompt in classes)


def _take_written(reports: Mapping[K, str], control: str, written: Mapping[K, str]) -> dict[K, str]:
    """The texts that a data set has for a control."""
    missing = [str(key) for key in reports if key not in written]
    if missing:
        problem = f"text '{control}': the data set has no such text for {len(missing)} cases, such as {missing[0]}."
        fix = "They exist for the published test split alone: choose --data.protocol published, or leave out this text."
        raise NotApplicableError(problem, fix)
    return {key: written[key] for key in reports}


def _rewrite_classes(
    classes: tuple[ClassPrompt, ...], control: str, seed: int, wordings: Mapping[str, Sequence[str]] | None
) -> tuple[ClassPrompt, ...]:
    if control == PARAPHRASE and wordings is not None:
        texts = [wordings[prompt.name] for prompt in classes]
        return tuple(replace_prompt(prompt, own[seed % len(own)]) for prompt, own in zip(classes, texts, strict=True))
    if control == CONTRADICT and any(names_side(prompt.sentence) for prompt in classes):
        return tuple(
            ClassPrompt(prompt.name, exchange_sides(prompt.sentence), tuple(map(exchange_sides, prompt.concepts)))
            for prompt in classes
        )
    reason = {
        PARAPHRASE: "the class prompts of this data set have no wordings in configs/wordings.",
        CONTRADICT: "no class prompt names a side.",
    }.get(control, "it rewrites reports, and this data set has a prompt per class.")
    raise NotApplicableError(f"text '{control}': {reason}", "Leave out this text.")


def _cycle(things: Sequence[T], seed: int) -> dict[T, T]:
    """A random permutation in one cycle, so that nothing keeps its place."""
    order = np.random.default_rng((seed, 0x7E47)).permutation(len(things)).tolist()
    following = order[1:] + order[:1]
    return {things[here]: things[there] for here, there in zip(order, following, strict=True)}
