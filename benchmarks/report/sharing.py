"""What a report for others leaves out: `zoo bench report --share`. The cards of the data sets say what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from benchmarks.report.gallery import Gallery
from benchmarks.storage.results import JobResult
from zoo.publishing import KINDS, Publish, find_run_terms

SHOWN = ("images", "rows")
"""The kinds of content that a report can have: pictures of cases, and scores of single cases."""

ALL = Publish("yes", "yes", "yes")
"""The terms of a report that stays on this machine."""


def find_common_terms(results: Iterable[JobResult]) -> Publish:
    """Return what the terms of all results allow: the strictest answer for each kind.

    Args:
        results: Results on one data set. A result without a manifest has the terms of the card of its data set.
    """
    every = [find_run_terms({"data": one.job.data, **one.manifest}) for one in results]

    strictest = {kind: min(every, key=lambda terms: terms.allows(kind), default=Publish()) for kind in KINDS}
    return Publish(**{kind: getattr(terms, kind) for kind, terms in strictest.items()})


def explain_left_out(terms: Publish, data: str) -> list[str]:
    """Return what a report of a data set leaves out, one sentence each."""
    return [terms.explain(kind, data) for kind in SHOWN if not terms.allows(kind)]


def without_pictures(galleries: Sequence[Gallery]) -> list[Gallery]:
    """Return the galleries without pictures, texts of cases and names of cases."""
    note = "the terms of the data do not allow to publish them, or are unknown"
    return [replace(one, kinds=(), legend=(), prompts=(), common=(), note=note) for one in galleries]
