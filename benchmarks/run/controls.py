"""The controls of a data set: scores of predictions that use no image, or only the text.

`python -m benchmarks.run.controls --data NAME --size SIZE --out DIR` scores the test cases on the native grid, as
`zoo test` does. It writes one folder with `cases.csv` per control, and `controls.json` at the end:

* `all-background`;
* `mean-shape` of the training masks;
* `text-only`, the mean shape of the training cases with the same report;
* `union`, where an image has several queries: the union of all masks of the image answers each of them;
* the reference values that the data set itself defines.

`controls.json` also lists the images that two splits share.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.storage.layout import write_sealed
from datamodules.analysis.mean_shape import TEXT_ONLY, Mask, fit_mean_shapes, load_native_labels
from datamodules.analysis.union import UNION, answer_with_unions
from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from datamodules.index.splits import SPLITS
from datamodules.verify.duplicates import compute_signature, find_duplicates
from zoo.metrics.case_scores import METRIC_VERSION, CaseScore, format_rows, write_rows
from zoo.metrics.conventions import CONVENTIONS
from zoo.metrics.scoring import score_case
from zoo.types import Case, Geometry
from zoo.utils.exit_codes import run_command
from zoo.utils.flags import parse_options
from zoo.utils.hashing import hash_text
from zoo.utils.seals import FILES

SAME_TEXT = "not applicable: every case has the same text, so it would equal mean-shape"
BOUND = "a bound computed by the data set, not a prediction"


def main(argv: list[str] | None = None) -> int:
    """Compute the controls of one data set; return 0, or 2 with one line for a mistake of the user."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run.controls", description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", required=True)
    parser.add_argument("--size", required=True)
    parser.add_argument("--out", required=True, type=Path)
    known, further = parser.parse_known_args(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    def control() -> None:
        options = parse_options(further, "data", "python -m benchmarks.run.controls")
        write_controls(build_datamodule(known.data, known.size, **options), known.out)

    return run_command(control)


def write_controls(data: SegDataModule, out: Path) -> None:
    """Score every control on the test split, and write the rows and `controls.json`.

    Args:
        data: The data set.
        out: The folder to write to.

    Raises:
        DataError: A file of the data set differs from its card, or a case has no label.
    """
    entries: dict[str, dict[str, Any]] = {}
    files: dict[str, str] = {}
    (out / "controls.json").unlink(missing_ok=True)  # older controls must not be beside newer rows
    for name, rows in score_controls(data).items():
        write_rows(out / name / "cases.csv", rows)
        entries[name] = {"cases": f"{name}/cases.csv", "track": "none"}
        files[f"{name}/cases.csv"] = hash_text(format_rows(rows))
    if TEXT_ONLY in entries:
        entries[TEXT_ONLY]["track"] = data.card.track
    else:
        entries[TEXT_ONLY] = {"track": data.card.track, "note": SAME_TEXT}
    for name, dice in data.controls().items():
        entries[re.sub(r"[\s_]+", "-", name)] = {"dice": float(dice), "track": "none", "note": BOUND}
    facts = {"split_hash": data.split_hash, "metric_version": METRIC_VERSION}
    shared = find_shared_images(data)
    content = {**facts, "shared_images": shared, "controls": entries, FILES: files}
    write_sealed(out / "controls.json", content)


def find_shared_images(data: SegDataModule) -> list[str]:
    """Describe the images that two splits share, exactly or nearly, by case id. Generated data sets have none.

    Prepared images are compared, because a model is trained and tested on them.
    """
    if data.card.embedded:
        return []
    signatures, splits = [], {}
    for split in SPLITS:
        for case in data.index.cases_of(split):
            if case.case_id in splits:  # a further query of an image
                continue
            splits[case.case_id] = split
            signatures.append(compute_signature(case, np.asarray(data.prepared(case).image)))
    return [
        f"{pair.later.case_id} ({splits[pair.later.case_id]}) is {'nearly ' if pair.near else ''}"
        f"{pair.earlier.case_id} ({splits[pair.earlier.case_id]})"
        for pair in find_duplicates(signatures)
        if splits[pair.later.case_id] != splits[pair.earlier.case_id]
    ]


def score_controls(data: SegDataModule) -> dict[str, list[CaseScore]]:
    """Compute the rows of each control that predicts masks, by its name.

    Args:
        data: The data set. Its training split gives the shapes, and its test split is scored.
    """
    priors = fit_mean_shapes(data)
    rows: dict[str, list[CaseScore]] = {name: [] for name in ("all-background", *priors)}
    for case, mask, geometry in load_native_labels(data, "test"):
        shape = mask.shape if data.labels.exclusive else mask.shape[1:]
        guesses = {name: prior.predict(shape, case.report or "") for name, prior in priors.items()}
        for name, guess in {"all-background": np.zeros_like(mask), **guesses}.items():
            rows[name] += _score(data, case, guess, mask, geometry)
    if data.card.queries and not data.labels.exclusive:
        rows[UNION] = []
        for case, union, mask, geometry in answer_with_unions(data, "test"):
            rows[UNION] += _score(data, case, union, mask, geometry)
    return rows


def _score(data: SegDataModule, case: Case, guess: Mask, mask: Mask, geometry: Geometry) -> list[CaseScore]:
    """Score what a control predicts for a case, by all conventions."""
    return score_case(
        case.case_id,
        guess,
        mask,
        data.labels,
        geometry.spacing,
        geometry.unit,
        data.card.tolerance,
        query=case.query,
        conventions=CONVENTIONS,
        instances=data.describe_instances(case, geometry),
    )


if __name__ == "__main__":
    sys.exit(main())
