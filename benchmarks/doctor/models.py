"""One tiny training, test, segmentation and export per model, on an embedded data set."""

from __future__ import annotations

import io
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from benchmarks.doctor.finding import Finding
from zoo.cards import ModelCard
from zoo.errors import ZooError, to_one_line
from zoo.registry import MODELS
from zoo.utils.format import format_duration

PHANTOMS = {
    2: ("phantom_chest", "--data.counts", "[4,2,2]", "--data.pixels", "32", "--data.patch", "[32,32]"),
    3: ("phantom_abdomen", "--data.counts", "[2,1,1]", "--data.shape", "[32,32,32]", "--data.patch", "[32,32,32]"),
}
"""An embedded data set per number of dimensions, as small as every model can use it."""

EXPORT_FORMAT = "safetensors"
"""The format that every model has: some networks are no graph, which is no fault of a machine."""

_SHORT = ("--data.batch_size", "2", "--data.epoch_samples", "2", "--trainer.max_epochs", "1")
_SHAPES = {2: (32, 32), 3: (32, 32, 32)}
_TEXT = "Unilateral pulmonary infection, one infected area, upper left lung."


def list_models(names: Sequence[str]) -> list[str]:
    """Return names of models as they are; all usable models where none is given.

    Raises:
        ConfigError: A name is unknown, or the model cannot be used.
    """
    return [MODELS.get(name).name for name in names] or [card.name for card in MODELS if not card.broken]


def try_models(names: Sequence[str]) -> Iterator[Finding]:
    """Train, test, segment and export with each model.

    Args:
        names: Their names; see `list_models`.
    """
    for name in names:
        dims = min(ModelCard.of(MODELS.get(name)).spatial_dims)
        folder = Path(tempfile.mkdtemp(prefix="zoo-doctor-"))
        try:
            yield try_model(name, dims, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def try_model(name: str, dims: int, folder: Path) -> Finding:
    """Train, test, segment and export with one model.

    Args:
        name: Its name.
        dims: 2 or 3.
        folder: Where the run is written.

    Returns:
        What worked, or the step that did not, with the last line that it printed.
    """
    begun = time.monotonic()
    data, *options = PHANTOMS[dims]
    words = ["--model", name, "--data", data, *options, *_SHORT, "--size", "tiny", "--trainer", "cpu"]
    run = folder / "run"
    steps = [
        ("fit", [*words, "--out", str(run)]),
        ("test", [*words, "--out", str(run)]),
        ("export", ["--run", str(run), "--format", EXPORT_FORMAT, "--out", str(folder / "export")]),
    ]
    for verb, arguments in steps:
        if (problem := _run(verb, arguments)) is not None:
            said = f"`zoo {verb}` failed: {problem}"
            return Finding(name, said, f"Run `zoo {verb} {shlex.join(words)} --out DIR` to see all of it.")
    try:
        _segment(run, dims)
    except ZooError as error:
        return Finding(name, f"segmenting failed: {to_one_line(error)}", "Report it with the output of `zoo env`.")
    done = ", ".join([verb for verb, _ in steps] + ["segment"])
    return Finding(name, f"{dims}D: {done} in {format_duration(time.monotonic() - begun)}")


def _run(verb: str, arguments: list[str]) -> str | None:
    """Run a command of `zoo` in this process; return the last line that it printed where it failed, else None."""
    from zoo.cli.main import main

    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        try:
            code = main([verb, *arguments])
        except Exception as error:  # noqa: BLE001 - a fault of any library is what is looked for
            return " ".join(f"{type(error).__name__}: {error}".split())
    lines = [line for line in said.getvalue().splitlines() if line.strip()]
    return None if code == 0 else (lines or [f"exit code {code}"])[-1]


def _segment(run: Path, dims: int) -> None:
    import numpy as np

    from zoo.segment.segmenter import load

    segmenter = load(run)
    text = _TEXT if segmenter.reads_reports else None
    segmenter(np.zeros((*_SHAPES[dims],), np.float32), text)
