"""From the text of a batch to the strings that a model encodes, for report models and for class models alike.

Every model sees every data set: a report model gets class sentences where there are no reports, and
a class model gets the report where there is one. No torch here; tokens are the encoder's affair.
"""

from __future__ import annotations

import re

from zoo.errors import TextError
from zoo.types import ClassPrompt, Text

_CLAUSE_END = re.compile(r";|[,.](?!\d)")  # a comma or a dot before a digit belongs to a number (2.5 cm)


def clauses(report: str) -> tuple[str, ...]:
    """The clauses of a report: its parts between commas, semicolons and full stops, trimmed.

    A report without any (the blank-text control) gives one empty clause, so that a model which
    needs a concept always has one.
    """
    parts = (part.strip() for part in _CLAUSE_END.split(report))
    return tuple(part for part in parts if part) or ("",)


def blank(text: Text) -> Text:
    """The same number of prompts, concepts and reports, each of them empty."""
    classes = tuple(ClassPrompt("", "", ("",) * len(prompt.concepts)) for prompt in text.classes)
    return Text(classes, None if text.reports is None else ("",) * len(text.reports))


def report_strings(text: Text, batch: int) -> list[str]:
    """One string a sample, for models that read a report.

    Args:
        text: The text of the batch.
        batch: Number of samples B.

    Returns:
        The B reports; where the set has none, B times the class sentences joined by a space.

    Raises:
        TextError: The number of reports is not B.
    """
    if text.reports is None:
        return [" ".join(prompt.sentence for prompt in text.classes).strip()] * batch
    return list(_reports_of(text, batch))


def class_prompts(text: Text, batch: int) -> list[tuple[ClassPrompt, ...]]:
    """One prompt a class and sample, for models that read class text.

    * No reports: the class prompts, the same for every sample.
    * One class and reports: the report is the sentence of that class, its `clauses` the concepts.
    * Several classes and reports: the report is appended to each class's sentence, and the concepts
      stay the class's own, because a report does not say which clause speaks of which class.

    Every prompt has at least one concept (the sentence, where the card gives none); their number may
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
            f"The batch has {batch} images and {len(reports)} reports.", 'Give one report (or "") an image.'
        )
    return reports
