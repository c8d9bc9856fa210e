"""The seeds of a table row: one `SeedResult` per seed, pooled over its folds, or the reason why there is none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.plan.job import MATCHED, Job
from benchmarks.storage.layout import TRUE_TEXT_STEP
from benchmarks.storage.results import JobResult, TestScores, pool_hashes
from benchmarks.storage.sealed_tests import has_case_twice
from benchmarks.storage.training_conditions import TRAINING, describe_loss, describe_training, describe_validation
from zoo.contamination import MANIFEST_KEY, MARK, name_data, sets_shared
from zoo.errors import RunError
from zoo.metrics.case_scores import LEAK, CaseScore, case_name, cases_hash
from zoo.utils.format import format_quantity
from zoo.utils.hashing import hash_json, hash_lines

ALIKE = (
    "size",
    "split_hash",
    "metric_version",
    "budget",
    "n",
    "hd95_unit",
    "classes",
    "cases_hash",
    "tuning",
    "search",
)
"""Conditions in which the rows of one ranking must agree."""

RECORDED = ("label_space", "tolerance", "label_hash", "spacing_hash", "data_hash", "weights", "loss", "validation")
"""Conditions in which the rows must agree as far as their versions of the zoo have recorded them."""

MACHINE = ("precision", "device")
"""Conditions that move a score little: rows may differ in them, and a warning says so."""

_SEEDS = (
    *(key for key in ALIKE if key != "size"),
    *RECORDED,
    "prompt_hash",
    "params",
    "params_trainable",
    "pretrained_vision",
    "pretrained_on",
    "mark",
    *TRAINING,
)
"""Conditions in which the seeds of one row must agree."""

_OF_FOLD = ("split_hash", "cases_hash", "label_hash", "spacing_hash", "n", "leaks", "stopping", "ended_early")
"""Conditions that differ from fold to fold."""


CARD = "card"
"""Where the values of a row come from that has no tuned recipe."""


@dataclass(frozen=True, slots=True)
class SeedResult:
    """One seed of a row, of which all jobs are done.

    Attributes:
        seed: The seed.
        conditions: What was trained and tested on what: the columns of a row that are no scores. All seeds of a row
            must share them, and all rows of a ranking must share `ALIKE`.
        tests: Step to its scores; the scores of all folds, each case once.
        part: The folds of the seed where they are not all folds of the split, such as "folds 0, 1 of 5"; else empty.
    """

    seed: int
    conditions: Mapping[str, Any]
    tests: Mapping[str, TestScores]
    part: str = ""


def group_by_seed(results: Iterable[JobResult]) -> dict[int, list[JobResult]]:
    """Return the results of each seed, sorted by seed and fold; a seed has one result, or one result per fold."""
    found: dict[int, list[JobResult]] = {}
    for result in sorted(results, key=lambda one: (one.job.seed, one.job.fold or 0)):
        found.setdefault(result.job.seed, []).append(result)
    return found


def make_seed_result(results: Sequence[JobResult]) -> SeedResult:
    """Make the result of one seed; its folds are pooled.

    Args:
        results: The results of one seed, all of them done.

    Raises:
        RunError: The rows have no mean, or they contradict their `about.json`; or the folds differ in more than
            the fold, or two folds test the same case. The message is the reason, without a file.
    """
    for result in results:
        if result.refusal:
            raise RunError(result.refusal)
        _check_rows(result)
    seed, conditions = results[0].job.seed, [_conditions(result) for result in results]
    if results[0].job.fold is None:
        return SeedResult(seed, conditions[0], results[0].tests)
    keys = [key for key in conditions[0] if key not in _OF_FOLD]
    differing = [key for key in keys if len({_as_text(fold[key]) for fold in conditions}) > 1]
    if differing:
        raise RunError(f"the folds differ in {', '.join(differing)}")
    tests = {step: _pool([result.tests[step] for result in results]) for step in results[0].tests}
    rows = tests[TRUE_TEXT_STEP].rows
    pooled = {
        "split_hash": pool_hashes(str(fold["split_hash"]) for fold in conditions),
        "cases_hash": cases_hash(rows),
        "label_hash": hash_labels(rows),
        "spacing_hash": _hash_spacing(tests[TRUE_TEXT_STEP].about),
        "n": len({row.key for row in rows}),
        "leaks": {subject: splits for fold in conditions for subject, splits in fold["leaks"].items()},
        **pool_endings(conditions),
    }
    return SeedResult(seed, conditions[0] | pooled, tests, _describe_part(results))


def seed_differences(seeds: Sequence[SeedResult]) -> list[str]:
    """Return the conditions in which the seeds of a row differ; one that is not recorded differs from none."""
    parts = {seed.seed: seed.part for seed in seeds}
    if len(set(parts.values())) > 1:
        named = ", ".join(f"seed {seed}: {part or 'all folds'}" for seed, part in parts.items())
        return [f"their folds ({named})"]
    return [key for key in _SEEDS if len(recorded_values(key, (seed.conditions[key] for seed in seeds))) > 1]


def variant_differences(pairs: Iterable[tuple[SeedResult, SeedResult]], size: str, full_size: str) -> list[str]:
    """Return the conditions in which the seeds of a variant differ from those of its full method.

    Other class prompts are allowed, and another loss, because a variant may change it.

    Args:
        pairs: (seed of the variant, the same seed of the full method).
        size: The size of the variant.
        full_size: The size of the full method.
    """
    pairs = list(pairs)
    keys = [key for key in (*ALIKE, *RECORDED) if key not in ("size", "loss")]
    both = {key: [(a.conditions[key], b.conditions[key]) for a, b in pairs] for key in keys}
    differing = [key for key in keys if any(len(recorded_values(key, pair)) > 1 for pair in both[key])]
    return (["size"] if size != full_size else []) + differing


def pool_endings(conditions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how the trainings of several folds or seeds ended: their rules, and how many ended before their budget."""
    rules = sorted({rule for one in conditions for rule in one["stopping"].split(" and ")} - {""})
    return {"stopping": " and ".join(rules), "ended_early": sum(one["ended_early"] for one in conditions)}


def recorded_values(key: str, values: Iterable[Any]) -> set[str]:
    """Return the distinct values of a condition as JSON; an empty value of `RECORDED` is not recorded and left out."""
    return {json.dumps(value) for value in values if value or key not in RECORDED}


def _check_rows(result: JobResult) -> None:
    for step, test in result.tests.items():
        try:
            _ = test.summary
        except RunError as error:
            raise RunError(f"{result.name}: {step}: {error.problem}") from error
        for key in ("split_hash", "prompt_hash"):
            if len({value for value in (test.about.get(key), result.manifest.get(key)) if value}) > 1:
                raise RunError(f"{result.name}: the rows of {step} have another {key} than the fit")
        text = test.about.get("text")
        expected = step.partition("-")[2] or "true"
        if text and text != expected:
            raise RunError(f"{result.name}: the rows of {step} were scored with the text '{text}'")
        if test.about.get("cases_hash", found := cases_hash(test.rows)) != found:
            raise RunError(f"{result.name}: the rows of {step} contradict its about.json; run `zoo test` again")
    if len({cases_hash(test.rows) for test in result.tests.values()}) > 1:
        raise RunError(f"{result.name}: its tests have different cases")
    if len({tuple(test.summary.per_class) for test in result.tests.values()}) > 1:
        raise RunError(f"{result.name}: its tests have different classes")
    if len({hash_labels(test.rows) for test in result.tests.values()}) > 1:
        raise RunError(f"{result.name}: its tests have different labels; run `zoo test` again")


def _describe_part(results: Sequence[JobResult]) -> str:
    """Return the folds of one seed if they are not all folds of the split; else nothing."""
    existing = sorted(fold for fold in (result.job.fold for result in results) if fold is not None)
    counts = [result.tests[TRUE_TEXT_STEP].about.get("folds") or result.job.folds for result in results]
    planned = max((int(count) for count in counts if count), default=existing[-1] + 1)
    if existing == list(range(planned)):
        return ""
    return f"fold{'s' if len(existing) > 1 else ''} {', '.join(map(str, existing))} of {planned}"


def _pool(tests: Sequence[TestScores]) -> TestScores:
    """Return the rows of all folds, each case once."""
    rows = tuple(row for test in tests for row in test.rows)
    if has_case_twice(rows):
        raise RunError("two folds test the same case")
    about = {
        key: {k: v for test in tests for k, v in test.about.get(key, {}).items()} for key in ("subjects", "spacing")
    }
    return TestScores(rows, {**tests[0].about, **about})


def _conditions(result: JobResult) -> dict[str, Any]:
    test, manifest = result.tests[TRUE_TEXT_STEP], result.manifest
    budget = manifest.get("budget") or {}
    seen = manifest.get(MANIFEST_KEY) or ()
    contaminated = [MARK] if sets_shared(seen, name_data({"data": result.job.data, **manifest})) else []
    ordered = sorted({(row.index, row.label) for row in test.rows})
    return {
        "budget": " ".join(f"{key}={_as_text(budget[key])}" for key in sorted(budget)),
        **{key: str(manifest.get(key) or "") for key in ("split_hash", "prompt_hash", "metric_version")},
        **{key: manifest.get(key) for key in ("params", "params_trainable")},
        "tuning": describe_tuning(result.job),
        "search": result.job.search,
        **describe_training(result.job, manifest),
        "classes": ", ".join(label for _, label in ordered),
        "label_space": str(test.about.get("label_space_hash") or ""),
        "tolerance": _as_text(test.about.get("tolerance") or ""),
        "cases_hash": cases_hash(test.rows),
        "label_hash": hash_labels(test.rows),
        "spacing_hash": _hash_spacing(test.about),
        "data_hash": str(manifest.get("data_hash") or ""),
        **{key: str(test.about.get(key) or "") for key in MACHINE},
        "weights": str(manifest.get("tested_weights") or ""),
        "loss": describe_loss(manifest.get("loss")),
        "validation": describe_validation(manifest.get("validation")),
        "pretrained_vision": str(manifest.get("pretrained_vision") or ""),
        **_find_ending(manifest),
        "pretrained_on": ", ".join(seen),
        "mark": ", ".join([*contaminated, *([LEAK] if manifest.get("leak_declared") else [])]),
        "leaks": test.about.get("leaks") or {},
        "n": len({row.key for row in test.rows}),
        "hd95_unit": test.summary.unit,
    }


def _find_ending(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may end the training before its budget, and whether it did; 1 for a training that did."""
    epochs, trained = manifest.get("epochs"), manifest.get("epochs_trained")
    early = manifest.get("ended_early", bool(epochs and trained and trained < epochs))  # the key is younger
    return {
        "stopping": str(manifest.get("early_stopping") or ("not recorded" if early else "")),
        "ended_early": int(early),
    }


def describe_tuning(job: Job) -> str:
    """Describe where the values of a row come from: its card, a search, or nothing of both in a matched comparison."""
    if job.settings.recipe == MATCHED:
        return ""
    return f"tuned, {format_quantity(job.tuned, 'trial')} each" if job.tuned else CARD


def hash_labels(rows: Iterable[CaseScore]) -> str:
    """Return the hash of the number of true voxels of each case and class: the same labels give the same hash."""
    return hash_lines(sorted(f"{case_name(row)}\t{row.label}\t{row.tp + row.fn}" for row in rows))


def _hash_spacing(about: Mapping[str, Any]) -> str:
    spacing = about.get("spacing") or {}
    return hash_json(spacing) if spacing else ""


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
