"""The pictures that `zoo test` keeps of the worst, median and best cases."""

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

from benchmarks.report.entries import Entry, Run
from benchmarks.storage.seeds import TRUE

KINDS = ("worst", "median", "best")
VERSION = 1
"""Of `overlays.json` as read here."""

_AXES = {"R": "sagittal", "A": "coronal", "S": "axial"}


@dataclass(frozen=True, slots=True)
class Picture:
    """One case.

    Attributes:
        case_id: The case.
        source: The picture as a `data:` address.
        size: Width and height.
        dice: Mean over its classes.
        classes: Dice of each class that is in the truth or the prediction.
        text: Its report, None where the set has none.
        view: Which slice it shows, empty for an image.
    """

    case_id: str
    source: str
    size: tuple[int, int]
    dice: float
    classes: dict[str, float]
    text: str | None
    view: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """The pictures of one model.

    Attributes:
        name: Of the model.
        run: The seed, and the fold, whose test it was.
        reads: Whether the model reads the text.
        kinds: (kind, pictures), the worst first.
        legend: (class, colour of truth, colour of prediction).
        prompts: The sentence of each class.
        note: Why there are no pictures; empty where there are.
    """

    name: str
    run: str
    reads: bool
    kinds: Sequence[tuple[str, Sequence[Picture]]] = ()
    legend: Sequence[tuple[str, str, str]] = ()
    prompts: Sequence[tuple[str, str]] = ()
    note: str = ""


def gallery_of(entry: Entry) -> Gallery:
    """The pictures of a model's first run.

    They are left out, with the reason, where the Dice beside them is not that of the stored rows: a picture of
    another test than the numbers' must not stand beside them.
    """
    run = entry.runs[0]
    bare = Gallery(entry.name, run.name, entry.row.text_track != "none")
    folder = run.folder / TRUE / "overlays"
    try:
        content = json.loads((folder / "overlays.json").read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            return replace(bare, note=f"overlays.json is of version {content['version']}, not {VERSION}")
        kinds = [(kind, [_picture(folder, one) for one in content["cases"] if one["kind"] == kind]) for kind in KINDS]
        legend = [(str(one["name"]), _colour(one["truth"]), _colour(one["prediction"])) for one in content["legend"]]
        prompts = [(str(name), str(text)) for name, text in content["prompts"].items()]
    except FileNotFoundError:
        return replace(bare, note="its test kept none; `zoo test --out` with its run folder makes them")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return replace(bare, note=f"overlays.json cannot be read ({type(error).__name__}: {error})")
    scored = case_means(run)
    for _, pictures in kinds:
        for one in pictures:
            if not math.isclose(one.dice, scored.get(one.case_id, math.nan), abs_tol=1e-5):
                return replace(bare, note=f"the picture of {one.case_id} is of another test than the stored scores")
    full = [(kind, pictures) for kind, pictures in kinds if pictures]
    return Gallery(bare.name, bare.run, bare.reads, full, legend, prompts)


def case_means(run: Run) -> dict[str, float]:
    """Mean Dice over the classes of each case."""
    dices: dict[str, list[float]] = {}
    for row in run.cases:
        if row.status != "absent":
            dices.setdefault(row.case_id, []).append(row.dice)
    return {case_id: fmean(values) for case_id, values in dices.items()}


def _picture(folder: Path, entry: dict[str, Any]) -> Picture:
    with Image.open(folder / Path(entry["file"]).name, formats=["PNG"]) as picture:
        source, (width, height) = _embedded(picture), picture.size
    view = "" if entry["axis"] is None else f"{_AXES.get(entry['axis'], entry['axis'])} slice {entry['slice']}"
    return Picture(
        case_id=str(entry["case_id"]),
        source=source,
        size=(width, height),
        dice=float(entry["dice"]),
        classes={str(name): float(dice) for name, dice in entry["classes"].items()},
        text=None if entry["text"] is None else str(entry["text"]),
        view=view,
    )


def _embedded(picture: Image.Image) -> str:
    """A `data:` address with the same pixels; WebP without loss takes a third less than PNG."""
    buffer = io.BytesIO()
    kind = "webp" if features.check("webp") else "png"
    picture.convert("RGB").save(buffer, kind, lossless=True)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _colour(text: str) -> str:
    """A colour that may stand in a style; another text becomes black."""
    return text if re.fullmatch(r"#[0-9A-Fa-f]{6}", text) else "#000000"
