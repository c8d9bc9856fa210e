"""The pictures of the worst, median and best cases, which `zoo test` stores."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image, features

from benchmarks.report.entries import Entry
from benchmarks.storage.layout import TRUE_TEXT_STEP
from benchmarks.storage.results import JobResult
from zoo.errors import DataError
from zoo.io.raster import open_picture

KINDS = ("worst", "median", "best")
OVERLAYS_VERSION = 1
"""Version of `overlays.json`."""

_AXES = {"R": "sagittal", "A": "coronal", "S": "axial"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One case.

    Attributes:
        case_id: The case.
        query: The query of the case; empty where a case has one query.
        source: The picture as a `data:` address.
        size: Width and height.
        dice: Mean over the classes.
        classes: Dice of each class in the label or in the prediction.
        text: The report of the case, None where the data set has no reports.
        view: The slice of the picture, empty for an image.
    """

    case_id: str
    query: str
    source: str
    size: tuple[int, int]
    dice: float
    classes: dict[str, float]
    text: str | None
    view: str

    @property
    def name(self) -> str:
        """The case, with its query where there is one."""
        return f"{self.case_id}, {self.query}" if self.query else self.case_id


@dataclass(frozen=True, slots=True)
class Gallery:
    """The pictures of one model.

    Attributes:
        name: Name of the model.
        job: The seed and the fold of the test.
        reads: Whether the model reads the text.
        kinds: (kind, pictures), the worst first.
        legend: (class, colour of the label, colour of the prediction).
        prompts: (class, its sentence).
        note: Why there are no pictures; empty where there are pictures.
        common: Pictures of cases that the test of every model has drawn.
    """

    name: str
    job: str
    reads: bool
    kinds: Sequence[tuple[str, Sequence[Picture]]] = ()
    legend: Sequence[tuple[str, str, str]] = ()
    prompts: Sequence[tuple[str, str]] = ()
    note: str = ""
    common: Sequence[Picture] = ()


def read_gallery(entry: Entry) -> Gallery:
    """Read the pictures of the first job of a model.

    A gallery has no pictures, and a note with the reason, where the Dice of a picture is not the Dice of the stored
    rows: pictures and numbers must be of the same test.
    """
    job = entry.jobs[0]
    bare = Gallery(entry.name, job.name, entry.row.text_track != "none")
    folder = job.folder / TRUE_TEXT_STEP / "overlays"
    try:
        content = json.loads((folder / "overlays.json").read_text(encoding="utf-8"))
        if content["version"] != OVERLAYS_VERSION:
            return replace(bare, note=f"overlays.json is of version {content['version']}, not {OVERLAYS_VERSION}")
        kinds = [(kind, [_picture(folder, one) for one in content["cases"] if one["kind"] == kind]) for kind in KINDS]
        common = [_picture(folder, one) for one in content.get("common", ())]
        legend = [(str(one["name"]), _colour(one["truth"]), _colour(one["prediction"])) for one in content["legend"]]
        prompts = [(str(name), str(text)) for name, text in content["prompts"].items()]
    except FileNotFoundError:
        return replace(bare, note="its test kept none; `zoo test --out` with its run folder makes them")
    except (OSError, DataError, ValueError, KeyError, TypeError, AttributeError) as error:
        return replace(bare, note=f"overlays.json cannot be read ({type(error).__name__}: {error})")
    dices = mean_dices(job)
    for _, pictures in (*kinds, ("common", common)):
        for one in pictures:
            if not math.isclose(one.dice, dices.get((one.case_id, one.query), math.nan), abs_tol=1e-5):
                return replace(bare, note=f"the picture of {one.name} is of another test than the stored scores")
    full = [(kind, pictures) for kind, pictures in kinds if pictures]
    return replace(bare, kinds=full, legend=legend, prompts=prompts, common=common)


def mean_dices(job: JobResult) -> dict[tuple[str, str], float]:
    """Return the mean Dice over the classes of each case and query, with the true text."""
    dices: dict[tuple[str, str], list[float]] = {}
    for row in job.tests[TRUE_TEXT_STEP].rows:
        if row.status != "absent":
            dices.setdefault(row.key, []).append(row.dice)
    return {key: fmean(values) for key, values in dices.items()}


def _picture(folder: Path, entry: dict[str, Any]) -> Picture:
    with open_picture(folder / Path(entry["file"]).name, formats=["PNG"]) as picture:
        source, (width, height) = _embedded(picture), picture.size
    view = "" if entry["axis"] is None else f"{_AXES.get(entry['axis'], entry['axis'])} slice {entry['slice']}"
    return Picture(
        case_id=str(entry["case_id"]),
        query=str(entry.get("query", "")),
        source=source,
        size=(width, height),
        dice=float(entry["dice"]),
        classes={str(name): float(dice) for name, dice in entry["classes"].items()},
        text=None if entry["text"] is None else str(entry["text"]),
        view=view,
    )


def _embedded(picture: Image.Image) -> str:
    """Return a `data:` address with the same pixels; lossless WebP is a third smaller than PNG."""
    buffer = io.BytesIO()
    kind = "webp" if features.check("webp") else "png"
    picture.convert("RGB").save(buffer, kind, lossless=True)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _colour(text: str) -> str:
    """Return the text if it is a colour, else black, so that no other text enters a style."""
    return text if re.fullmatch(r"#[0-9A-Fa-f]{6}", text) else "#000000"
