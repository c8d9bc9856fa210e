"""A made-up benchmark folder, as the runner leaves it, without any training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.plan.job import Job, Plan
from benchmarks.storage import layout
from benchmarks.storage.stored_plan import store_plan
from tests.helpers.sample_benchmark import FACTS
from tests.helpers.sample_rows import row
from tests.helpers.sealed_runs import CONFIG, seal_controls, write_run, write_test
from zoo.callbacks.overlays import ScoredCase, choose_cases, choose_common_cases, write_overlays
from zoo.data_facts import DataFacts
from zoo.metrics.case_scores import CaseScore, write_rows
from zoo.types import CaseKey, ClassPrompt, LabelSpace
from zoo.visualization.slice_choice import Plane

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)> {{ 7 * 7 }} </style> \" ' $x^2$"

LOSS = {"test": 0.0, "test-shuffled": 0.2, "test-blank": 0.1, "test-names": 0.05}
"""Loss of Dice by the step of the test."""


def benchmark(folder: Path, jobs: Sequence[Job], labels: Sequence[str], cases: int = 12) -> Path:
    """Write a benchmark in which every job is done, with history, tests and pictures, and two controls per data set.

    Args:
        folder: Where to.
        jobs: The plan.
        labels: Names of the classes, in alphabetical order.
        cases: How many.
    """
    store_plan(folder, Plan(tuple(jobs)))
    levels = {name: 0.55 + 0.07 * place for place, name in enumerate(dict.fromkeys(one.model for one in jobs))}
    for one in jobs:
        finished(layout.job_folder(folder, one.id), one, labels, levels[one.model], cases)
    for data, fold in dict.fromkeys((one.data, one.fold) for one in jobs):
        controls(layout.controls_folder(folder, data, fold), labels, cases)
    return folder


def finished(
    run: Path,
    one: Job,
    labels: Sequence[str],
    level: float,
    cases: int,
    config: Mapping[str, Any] = MappingProxyType(CONFIG),
    **changes: Any,
) -> None:
    """Write the run folder of a job that is done."""
    facts = {
        "zoo": "0.1.0",
        "git_commit": "0123456789abcdef0123456789abcdef01234567",
        "versions": {"python": "3.11", "torch": "2.15"},
        "devices": 1,
        "hardware": "a processor, 2 threads",
        "split_sizes": {"train": 20, "val": 4, "test": cases},
        "config_hash": f"{one.seed}a" * 32,
        "text_track": one.track,
        "encoder": one.encoder or None,
        "best_val_dice": level,
        "started": "2026-01-31T10:00:00+00:00",
        "finished": f"2026-01-31T1{one.seed}:30:00+00:00",
    }
    write_run(run, FACTS | facts | {"folder": run.name} | changes, config=config)
    history = [f"{epoch},{epoch * 10},{level - 0.3 / (epoch + 1)},{2 / (epoch + 1)}" for epoch in range(12)]
    (run / "metrics.csv").write_text("\n".join(["epoch,step,val/dice,train/loss", *history, "12,1"]))  # cut short
    rng = np.random.default_rng(one.seed)
    noise = 0.12 * rng.standard_normal((cases, len(labels)))
    for step in one.steps[1:]:
        dices = np.clip(level - LOSS[step] + noise, 0.01, 0.99).round(3)
        rows = [row(f"case{c:03d}", x, float(dices[c, k])) for c in range(cases) for k, x in enumerate(labels)]
        write_test(run, step, rows)
        if step == "test":
            pictures(run / "test" / "overlays", labels, rows)


def pictures(folder: Path, labels: Sequence[str], rows: Sequence[CaseScore]) -> None:
    """Write the pictures of a test; each text is an attack."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    planes, seen = folder / "planes.npz", []
    truth = np.zeros((24, 24), np.uint8)
    for number in range(len(labels)):
        truth[3 * number : 3 * number + 3, 4:14] = number + 1
    arrays: dict[str, Any] = {}
    for case_id in sorted({one.case_id for one in rows}):
        arrays |= {
            f"{case_id}/image": rng.integers(0, 255, (1, 224, 224)).astype(np.uint8),
            f"{case_id}/truth": truth,
            f"{case_id}/prediction": np.roll(truth, 2, axis=1),
            f"{case_id}/extent": np.array([24.0, 24.0]),
        }
        dices = {one.label: one.dice for one in rows if one.case_id == case_id}
        seen.append(ScoredCase(CaseKey(case_id), dices, ATTACK, Plane(2, 7), planes))
    np.savez(planes, allow_pickle=False, **arrays)
    space = LabelSpace(tuple(labels), tuple((number,) for number in range(1, len(labels) + 1)))
    prompts = tuple(ClassPrompt(label, f"a sentence on {label}") for label in labels)
    facts = DataFacts("set", 3, 1, (8, 8, 8), space, prompts, "class")
    write_overlays(folder, choose_cases(seen), facts, choose_common_cases(seen))
    planes.unlink()


def controls(folder: Path, labels: Sequence[str], cases: int) -> None:
    """Write the controls all-background and mean-shape."""
    names = {"all-background": 0.0, "mean-shape": 0.4}
    for name, dice in names.items():
        status = "ok" if dice else "missed"
        rows = [row(f"case{c:03d}", x, dice, status=status) for c in range(cases) for x in labels]
        write_rows(folder / name / "cases.csv", rows)
    entries = {name: {"cases": f"{name}/cases.csv", "track": "none"} for name in names}
    facts = {key: FACTS[key] for key in ("split_hash", "metric_version")}
    layout.write_json(folder / "controls.json", facts | {"controls": entries})
    seal_controls(folder)
