"""Time of `zoo bench table` for the rows of a synthetic benchmark: `python -m benchmarks.perf.table_time`.

It writes folders as `zoo fit` and `zoo test` do, and measures reading, statistics and writing of all formats.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.leaderboard.leaderboard import make_leaderboard
from benchmarks.plan.job import Job, Plan, Settings
from benchmarks.storage import layout
from benchmarks.storage.results import read_benchmark
from benchmarks.storage.stored_plan import store_plan
from benchmarks.tables.writers import FORMATS
from zoo.engine.run_folder import RunFolder
from zoo.engine.run_seals import seal_files
from zoo.metrics.case_scores import METRIC_VERSION, CaseScore
from zoo.metrics.definitions import METRICS
from zoo.metrics.score_files import write_scores
from zoo.utils.atomic_files import write_text
from zoo.utils.seals import FILES, SEAL, add_seal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a benchmark: models x seeds trainings, each tested on cases x classes."""

    models: int
    seeds: int
    cases: int
    classes: int


SHAPES = (Shape(4, 3, 84, 10), Shape(8, 3, 6, 13), Shape(5, 1, 2_000, 1), Shape(10, 3, 2_113, 1))


def write(folder: Path, shape: Shape) -> int:
    """Write the folder of a benchmark; return the number of rows."""
    rng = np.random.default_rng(0)
    settings = Settings(size="tiny", trainer="cpu")
    jobs = [Job(f"m{m}", "hippocampus", s, settings=settings) for m in range(shape.models) for s in range(shape.seeds)]
    store_plan(folder, Plan(tuple(jobs)))
    for job in jobs:
        run = layout.job_folder(folder, job.id)
        facts = {"split_hash": "a", "metric_version": METRIC_VERSION, "budget": {"samples": 1}, "finished": "now"}
        write_text(run / "config.yaml", "{}")
        files = seal_files(RunFolder(run), {}) | {"checkpoints/best.ckpt": "a"}
        layout.write_json(run / "manifest.json", manifest := add_seal(facts | {FILES: files}))
        rows = [_row(rng, case, index) for case in range(shape.cases) for index in range(1, shape.classes + 1)]
        subjects = {f"case{case}": f"subject{case // 2}" for case in range(shape.cases)}
        about = {"metric_version": METRIC_VERSION, "subjects": subjects, "run": manifest[SEAL], FILES: files}
        write_scores(run / "test" / "cases.csv", rows, about | {"checkpoint": "checkpoints/best.ckpt"})
    return len(jobs) * shape.cases * shape.classes


def _row(rng: np.random.Generator, case: int, index: int) -> CaseScore:
    tp, fp, fn = (int(n) for n in rng.integers(1, 1000, 3))
    dice = 2 * tp / (2 * tp + fp + fn)
    values: dict[str, Any] = {metric.key: 3.0 if metric.unit == "distance" else dice for metric in METRICS}
    return CaseScore(
        case_id=f"case{case}",
        query="",
        label=f"c{index}",
        index=index,
        tp=tp,
        fp=fp,
        fn=fn,
        unit="mm",
        status="ok",
        mark="",
        **values,
    )


def main() -> None:
    """Log one line per size."""
    argparse.ArgumentParser(prog="python -m benchmarks.perf.table_time", description=__doc__).parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for shape in SHAPES:
        with tempfile.TemporaryDirectory() as name:
            rows = write(Path(name), shape)
            started = time.perf_counter()
            leaderboard = make_leaderboard(read_benchmark(Path(name)))
            read = time.perf_counter()
            sizes = {form: len(to(leaderboard, form != "csv", form != "csv")) for form, to in FORMATS.items()}
            end = time.perf_counter()
            taken = {"read_s": round(read - started, 2), "write_s": round(end - read, 2), "bytes": sizes}
            log.info("%s, %d rows of cases: %s", shape, rows, json.dumps(taken))


if __name__ == "__main__":
    main()
