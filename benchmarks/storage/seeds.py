"""The runs that make a row: one a seed, each pooled over its folds, or the reason why they make none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.storage.results import Result, Scored, pooled_hash
from zoo.errors import RunError
from zoo.metrics.case_scores import LEAK, cases_hash

TRUE = "test"
"""The step with the true text."""


@dataclass(frozen=True, slots=True)
class Run:
    """One seed of a row, all of it done.

    Attributes:
        seed: The seed.
        facts: What all seeds of a row, and partly all rows of a ranking, must share.
        tests: Step to its rows; those of all folds, each case once.
    """

    seed: int
    facts: Mapping[str, Any]
    tests: Mapping[str, Scored]


def named(result: Result) -> str:
    """A run as it is named in a reason."""
    fold = result.job.fold
    return f"seed {result.job.seed}" + ("" if fold is None else f" fold {fold}")


def by_seed(results: Iterable[Result]) -> dict[int, list[Result]]:
    """The results of each seed, both sorted; a seed has one result, or one a fold."""
    found: dict[int, list[Result]] = {}
    for result in sorted(results, key=lambda one: (one.job.seed, one.job.fold or 0)):
        found.setdefault(result.job.seed, []).append(result)
    return found


def make_run(results: Sequence[Result]) -> Run:
    """One seed, its folds pooled.

    Args:
        results: Of one seed, all done.

    Raises:
        RunError: The rows have no mean or are not those of their `about.json`, the folds differ in what is no matter
            of the fold, one is missing, or they test a case twice; the message is the reason, without a file.
    """
    for result in results:
        _check_rows(result)
    facts = [_facts(result) for result in results]
    if results[0].job.fold is None:
        return Run(results[0].job.seed, facts[0], results[0].scored)
    _check_folds(results)
    of_folds = ("split_hash", "cases_hash", "n", "leaks")
    differing = [key for key in facts[0] if key not in of_folds and len({_plain(fact[key]) for fact in facts}) > 1]
    if differing:
        raise RunError(f"the folds differ in {', '.join(differing)}")
    tests = {step: _pool([result.scored[step] for result in results]) for step in results[0].scored}
    rows = tests[TRUE].rows
    pooled = {
        "split_hash": pooled_hash(str(fact["split_hash"]) for fact in facts),
        "cases_hash": cases_hash(rows),
        "n": len({row.key for row in rows}),
        "leaks": {subject: parts for fact in facts for subject, parts in fact["leaks"].items()},
    }
    return Run(results[0].job.seed, facts[0] | pooled, tests)


def _check_rows(result: Result) -> None:
    for step, test in result.scored.items():
        try:
            _ = test.summary
        except RunError as error:
            raise RunError(f"{named(result)}: {step}: {error.problem}") from error
        for key in ("split_hash", "prompt_hash"):
            if len({told for told in (test.about.get(key), result.facts.get(key)) if told}) > 1:
                raise RunError(f"{named(result)}: the rows of {step} are of another {key} than the fit")
        text = test.about.get("text")
        expected = step.partition("-")[2] or "true"
        if text and text != expected:
            raise RunError(f"{named(result)}: the rows of {step} were scored with the text '{text}'")
        if test.about.get("cases_hash", found := cases_hash(test.rows)) != found:
            raise RunError(f"{named(result)}: the rows of {step} are not those of its about.json; run `zoo test` again")
    if len({cases_hash(test.rows) for test in result.scored.values()}) > 1:
        raise RunError(f"{named(result)}: its tests are of differing cases")
    if len({tuple(test.summary.per_class) for test in result.scored.values()}) > 1:
        raise RunError(f"{named(result)}: its tests are of differing classes")


def _check_folds(results: Sequence[Result]) -> None:
    there = sorted(fold for fold in (result.job.fold for result in results) if fold is not None)
    told = [result.scored[TRUE].about.get("folds") or result.job.folds for result in results]
    planned = max((int(folds) for folds in told if folds), default=len(there))
    if there != list(range(planned)):
        shown = ", ".join(map(str, there))
        raise RunError(f"seed {results[0].job.seed} has the folds {shown} of {planned}, counted from 0")


def _pool(tests: Sequence[Scored]) -> Scored:
    """The rows of all folds, each case once."""
    rows = tuple(row for test in tests for row in test.rows)
    if len({(row.key, row.label) for row in rows}) < len(rows):
        raise RunError("a case is tested on in two folds")
    about = {
        key: {k: v for test in tests for k, v in test.about.get(key, {}).items()} for key in ("subjects", "spacing")
    }
    return Scored(rows, {**tests[0].about, **about})


def _facts(run: Result) -> dict[str, Any]:
    test = run.scored[TRUE]
    budget = run.facts.get("budget") or {}
    ordered = sorted({(row.index, row.label) for row in test.rows})
    return {
        "budget": " ".join(f"{key}={_plain(budget[key])}" for key in sorted(budget)),
        **{key: str(run.facts.get(key) or "") for key in ("split_hash", "prompt_hash", "metric_version")},
        **{key: run.facts.get(key) for key in ("params", "params_trainable")},
        "classes": ", ".join(label for _, label in ordered),
        "label_space": str(test.about.get("label_space_hash") or ""),
        "cases_hash": cases_hash(test.rows),
        "mark": LEAK if run.facts.get("leak_declared") else "",
        "leaks": test.about.get("leaks") or {},
        "n": len({row.key for row in test.rows}),
        "hd95_unit": test.summary.unit,
    }


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
