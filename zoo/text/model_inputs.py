"""The strings that a model encodes, made from the text of a batch.

Every model works with every data set: a model of reports gets class sentences where there are no reports, and a model
of class prompts gets the report where there is one. No torch here: the text encoder makes the tokens.
"""

from __future__ import annotations

import re

from zoo.errors import TextError
from zoo.types import ClassPrompt, Text

_CLAUSE_END = re.compile(r";|[,.](?!\d)")  # a comma or a dot before a digit belongs to a number (2.5 cm)


def clauses(report: str) -> tuple[str, ...]:
    """The clauses of a report, between commas, semicolons and full stops, without spaces at their ends.

    An empty report (text control "blank") gives one empty clause, because a model may need a concept.
    """
    parts = (part.strip() for part in _CLAUSE_END.split(report))
    return tuple(part for part in parts if part) or ("",)


def blank(text: Text) -> Text:
    """Empty text with the same numbers of prompts, concepts and reports."""
    classes = tuple(ClassPrompt("", "", ("",) * len(prompt.concepts)) for prompt in text.classes)
    return Text(classes, None if text.reports is None else ("",) * len(text.reports))


def report_strings(text: Text, batch: int) -> list[str]:
    """One string per sample, for models that read a report.

    Args:
        text: The text of the batch.
        batch: Number of samples B.

    Returns:
        The B reports; where there are none, B times the class sentences with spaces between them.

    Raises:
        TextError: The number of reports is not B.
    """
    if text.reports is None:
        return [" ".join(prompt.sentence for prompt in text.classes).strip()] * batch
    return list(_reports_of(text, batch))


def class_prompts(text: Text, batch: int) -> list[tuple[ClassPrompt, ...]]:
    """One prompt per class and sample, for models that read class prompts.

    * No reports: the class prompts, the same for every sample.
    * One class and reports: the report is the sentence of the class, and its `clauses` are the concepts.
    * Several classes and reports: the report is added to the sentence of each class. The concepts stay those of the
      class, because a report does not say which clause is about which class.

    Every prompt has at least one concept: the sentence, where the card has no concepts. The number of concepts may
    differ between samples.

    Args:
        text: The text of the batch.
        batch: Number of samples B.

    Returns:
        B tuples of K prompts in label order.

    Raises:
        TextError: The number of reports is not B.
    """
    classes = tuple(prompt._replace(concepts=prompt.concepts or (prompt.sentence,)) for prompt in text.classes)
    if text.reports is None:
        return [classes] * batch
    reports = _reports_of(text, batch)
    if len(classes) == 1:
        return [(ClassPrompt(classes[0].name, report, clauses(report)),) for report in reports]
    return [
        tuple(prompt._replace(sentence=f"{prompt.sentence} {report}".strip()) for prompt in classes)
        for report in reports
    ]


def _reports_of(text: Text, batch: int) -> tuple[str, ...]:
    reports = text.reports or ()
    if len(reports) != batch:
        raise TextError(
            f"The batch has {batch} images and {len(reports)} reports.", 'Give one report (or "") per image.'
        )
    return reports
