"""Every model exported: its smallest network for the tests, and its size `tiny` for the table of `docs/export.md`.

`python -m tests.helpers.exported_models` exports all models and prints the table; names restrict it.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tests.helpers.model_cases import ModelCase, model_cases, network
from zoo.errors import ZooError
from zoo.export.exporting import export_model
from zoo.export.graph_files import OnnxFile
from zoo.export.parity import Case
from zoo.export.reading import find_reading, rows_from
from zoo.models.base import SegModule
from zoo.preprocessing import PreprocessingSpec
from zoo.preprocessing.training_input import TrainingInput
from zoo.segment.segmenter import Segmenter
from zoo.types import Text

PATCHES = {2: (64, 64), 3: (32, 32, 32)}
"""Patches with more than one place in the deepest map of most networks, so that other sizes are possible."""

HEAD = ("model", "axes", "text", "sizes", "largest difference", "in other sizes", "file (MB)", "speed")

ROUNDS = 7
"""How often the original and the file segment a patch, in turn."""


def export_smallest(case: ModelCase, format_name: str, out: Path) -> dict[str, Any]:
    """Export the smallest network of a case, check it on an image of several windows, and return its description."""
    return _export(_build(case, network(case).smallest), case, format_name, out)


def _build(case: ModelCase, options: Mapping[str, Any]) -> SegModule:
    """Build a network of a case with the larger patch, untrained."""
    torch.manual_seed(0)
    known = network(case)
    return replace(known, facts=replace(known.facts, patch=PATCHES[case.dims])).build(options).eval()


def _export(model: SegModule, case: ModelCase, format_name: str, out: Path) -> dict[str, Any]:
    unit = "mm" if case.dims == 3 else "px"
    segmenter = Segmenter(model, TrainingInput({"": PreprocessingSpec()}, unit))
    image = torch.randn(1, model.facts.in_channels, *(size + 8 for size in model.facts.patch))
    return export_model(segmenter, format_name, out, Case("noise", image, _text_of(model)))[0]


def _text_of(model: SegModule) -> Text:
    reports = None if model.facts.track == "class" else ("Two infected areas in the left lung.",)
    return Text(model.facts.prompts, reports)


def measure_speed(model: SegModule, file: Path) -> float:
    """Return the processor time of the original over that of ONNX Runtime, for one patch and its encoded text."""
    image = torch.randn(1, model.facts.in_channels, *model.facts.patch)
    reading, rows = find_reading(model, image, _text_of(model))
    given = {} if reading is None or rows is None else reading.inputs(rows)
    if reading is not None and reading.per_image:
        given = {name: part[None] for name, part in given.items()}
    run = OnnxFile.open_session(file)
    arrays = {name: part.numpy() for name, part in {"image": image, **given}.items()}

    def original() -> None:
        with torch.inference_mode(), rows_from(reading, list(given.values())):
            model.predict_window(image, _text_of(model))

    taken: dict[str, list[float]] = {"original": [], "file": []}
    for _ in range(ROUNDS + 1):
        taken["original"].append(_time(original))
        taken["file"].append(_time(lambda: run.run(None, arrays)))
    before, after = (statistics.median(times[1:]) for times in taken.values())
    return before / after


def _time(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def row_of(case: ModelCase) -> list[str]:
    """Export the size `tiny` of a case, and return its row of the table."""
    name, axes = case.card.name, f"{case.dims}D"
    model = _build(case, network(case).tiny)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        try:
            about = _export(model, case, "onnx", out)
        except ZooError as error:
            return [name, axes, "", "", f"not exported: {error.problem}", "", "", ""]
        megabytes = (out / "model.onnx").stat().st_size / 1e6
        speed = measure_speed(model, out / "model.onnx")
    batch, _, *sizes = about["inputs"]["image"]
    free = [size for size in sizes if isinstance(size, dict)]
    shown = f"multiples of {free[0]['multiple_of']}" if free and free[0]["multiple_of"] > 1 else "any"
    sized = shown if free else "the patch"
    text = "none" if about["text"] is None else about["text"]["kind"]
    parity = about["parity"]
    other = parity.get("other_largest_difference")
    return [
        name, axes, text, sized if isinstance(batch, dict) else f"{sized}, one image",
        f"{parity['largest_difference']:.0e}", "" if other is None else f"{other:.0e}",
        f"{megabytes:.1f}", f"{speed:.1f}",
    ]  # fmt: skip


def main(names: list[str]) -> None:
    """Print the table, row by row."""
    for row in (HEAD, ["---"] * len(HEAD)):
        _print(row)
    for case in sorted(model_cases(), key=str):
        if case.card.name in names or str(case) in names or not names:
            _print(row_of(case))


def _print(row: Any) -> None:
    sys.stdout.write(f"| {' | '.join(row)} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
