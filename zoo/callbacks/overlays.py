"""Draws the worst, median and best test cases, and some that every model has, with outlines of label and prediction."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from PIL import Image

from zoo.data_facts import DataFacts
from zoo.errors import RunError
from zoo.metrics.case_scores import CaseScore
from zoo.types import Batch, CaseKey, LabelSpace, Prediction
from zoo.utils.atomic_files import write_atomically, write_text
from zoo.utils.safe_text import to_file_name
from zoo.visualization.outline import class_colours
from zoo.visualization.overlay import draw_overlay
from zoo.visualization.slice_choice import ARRAYS, Plane, choose_plane, extract_plane

VERSION = 1
"""Version of `overlays.json`."""

KINDS = ("worst", "median", "best")

KEPT = 3
"""Number of cases of each kind, and of cases that every model has a picture of."""


class ScoredCase(NamedTuple):
    """One scored case.

    Attributes:
        key: The image and the query.
        dices: Dice of each class that is in the label or in the prediction.
        text: The report of the case; None if the data set has no reports.
        plane: The slice that is drawn; None for an image.
        file: The file that has the arrays of this plane until the end of the test.
        labelled: Whether a class is in the label.
    """

    key: CaseKey
    dices: dict[str, float]
    text: str | None
    plane: Plane | None
    file: Path
    labelled: bool = True

    @property
    def dice(self) -> float:
        """The mean over the classes."""
        return math.fsum(self.dices.values()) / len(self.dices)


class Overlays(Callback):
    """Keeps one plane of each case during the test; at the end, rank 0 draws the chosen cases.

    `<folder>/overlays.json` lists the pictures and is written last. An interrupted test leaves its planes in one hidden
    file per rank, which the next test removes. A model has no pictures if its `test_step` does not store its
    predictions in `tested`, as `SegModule` does.

    Args:
        folder: The folder to write to, `<out>/test/overlays`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[ScoredCase] = []
        self._planes: ZipFile | None = None

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start a new list."""
        self.seen = []
        self._close()

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep a plane of each case of a batch that has a Dice: a class is in the label or in the prediction."""
        dices = _dices(outputs)
        for place, prediction in enumerate(getattr(pl_module, "tested", ())):
            if prediction.key in dices:
                labelled = prediction.key in _labelled(outputs)
                self._keep(batch, place, prediction, dices[prediction.key], labelled, trainer.global_rank)

    def _keep(
        self, batch: Batch, place: int, prediction: Prediction, dices: dict[str, float], labelled: bool, rank: int
    ) -> None:
        """Write the plane to the file of this rank: memory cannot hold all planes, and one file per case is slow."""
        image, native, reports = batch["image"][place], batch["native"][place], batch.get("reports")
        truth, geometry = np.asarray(native.label), native.geometry
        plane = choose_plane(truth, prediction.mask, geometry)
        if plane is not None:
            axis = 1 + plane.axis
            image = image.select(axis, plane.on_network(geometry, image.shape[axis]))
        arrays = extract_plane(image.float().cpu().numpy(), truth, prediction.mask, geometry, plane)
        file = self.folder / f".rank-{rank}.npz"
        try:
            if self._planes is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._planes = ZipFile(file, "w")
            for name, array in arrays.items():
                content = io.BytesIO()
                np.save(content, array, allow_pickle=False)
                kind = (
                    ZIP_STORED if name == "image" else ZIP_DEFLATED
                )  # compression of an image is slow and saves little
                self._planes.writestr(f"{to_file_name(str(prediction.key))}/{name}.npy", content.getvalue(), kind, 1)
        except OSError as error:
            raise _unwritable(file, error) from error
        text = None if reports is None else reports[place]
        self.seen.append(ScoredCase(prediction.key, dices, text, plane, file, labelled))

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather the cases of all ranks; rank 0 draws the chosen ones and removes the planes."""
        self._close()
        gathered = [self.seen]
        if trainer.world_size > 1:
            gathered = [self.seen] * trainer.world_size
            torch.distributed.all_gather_object(gathered, self.seen)
        if not trainer.is_global_zero:
            return
        seen = [case for cases in gathered for case in cases]
        try:
            if seen:
                chosen, common = choose_cases(seen), choose_common_cases(seen)
                write_overlays(self.folder, chosen, pl_module.facts, common)  # type: ignore[arg-type]
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        finally:
            for left in self.folder.glob(".rank-*.npz"):
                left.unlink()

    def _close(self) -> None:
        if self._planes is not None:
            self._planes.close()
            self._planes = None


def choose_cases(seen: Iterable[ScoredCase], kept: int = KEPT) -> list[tuple[str, ScoredCase]]:
    """Choose the worst, median and best cases, each case once; of few cases, fewer of each kind.

    Cases with the same Dice are taken in the order of their ids.

    Args:
        seen: The scored cases.
        kept: Number of cases of each kind.

    Returns:
        (kind, case), with rising Dice within a kind.
    """
    order = sorted(seen, key=lambda case: (case.dice, case.key))
    kept = min(kept, math.ceil(len(order) / len(KINDS)))
    worst, rest = order[:kept], order[kept:]
    best = sorted(rest, key=lambda case: (-case.dice, case.key))[:kept]
    about = (len(order) - 1) / 2
    middle = [(abs(place - about), case) for place, case in enumerate(order) if case in rest and case not in best]
    median = [case for _, case in sorted(middle, key=lambda pair: (pair[0], pair[1].key))[:kept]]
    parts = zip(KINDS, (worst, median, best), strict=True)
    return [(kind, case) for kind, cases in parts for case in order if case in cases]


def choose_common_cases(seen: Iterable[ScoredCase], kept: int = KEPT) -> list[ScoredCase]:
    """Choose cases that do not depend on the model, so that a report can show one case for each model.

    They are evenly spaced in the order of the ids, among the cases with a class in the label.

    Args:
        seen: The scored cases.
        kept: Number of cases.
    """
    order = sorted((case for case in seen if case.labelled), key=lambda case: case.key)
    kept = min(kept, len(order))
    return [order[(2 * place + 1) * len(order) // (2 * kept)] for place in range(kept)]


def write_overlays(
    folder: Path,
    chosen: Sequence[tuple[str, ScoredCase]],
    facts: DataFacts,
    common: Sequence[ScoredCase] = (),
) -> None:
    """Draw the chosen cases and list them in `overlays.json`; remove the pictures of an earlier test.

    Args:
        folder: The folder to write to.
        chosen: (kind, case), in the order of the file.
        facts: The classes and their prompts.
        common: Cases that a test of every model draws.

    Raises:
        OSError: The folder cannot be written.
    """
    index = folder / "overlays.json"
    index.unlink(missing_ok=True)  # so that it never lists pictures of another test
    drawn = {case.key: _draw(folder, case, facts.labels) for case in (*(case for _, case in chosen), *common)}
    names = facts.labels.names
    legend = [
        {"name": name, "truth": truth, "prediction": prediction}
        for name, (truth, prediction) in zip(names, class_colours(len(names)), strict=True)
    ]
    content = {
        "version": VERSION,
        "lines": {"truth": "solid", "prediction": "dashed"},
        "legend": legend,
        "prompts": {prompt.name: prompt.sentence for prompt in facts.prompts},
        "cases": [{"kind": kind} | drawn[case.key] for kind, case in chosen],
        "common": [drawn[case.key] for case in common],
    }
    write_text(index, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    wanted = {entry["file"] for entry in drawn.values()}
    for file in folder.glob("*.png"):
        if file.name not in wanted:
            file.unlink()


def _draw(folder: Path, case: ScoredCase, labels: LabelSpace) -> dict[str, Any]:
    """Write the picture of a case, and return its entry in `overlays.json`."""
    name = f"{to_file_name(str(case.key))}.png"
    picture = _picture(case, labels)
    write_atomically(folder / name, partial(picture.save, optimize=True))
    return {
        "case_id": case.key.case_id,
        "query": case.key.query,
        "file": name,
        "size": list(picture.size),
        "dice": round(case.dice, 6),
        "classes": {label: round(dice, 6) for label, dice in case.dices.items()},
        "text": case.text,
        "axis": None if case.plane is None else "RAS"[case.plane.axis],
        "slice": None if case.plane is None else case.plane.index,
    }


def _picture(case: ScoredCase, labels: LabelSpace) -> Image.Image:
    with np.load(case.file, allow_pickle=False) as planes:
        image, truth, prediction, extent = (planes[f"{to_file_name(str(case.key))}/{name}"] for name in ARRAYS)
    return draw_overlay(image, masks_by_class(truth, labels), masks_by_class(prediction, labels), extent.tolist())


def masks_by_class(plane: NDArray[np.uint8], labels: LabelSpace) -> NDArray[np.bool_]:
    """Return [K, H, W] for a plane with the layout of `Native.label`."""
    if not labels.exclusive:
        return plane > 0
    return np.stack([plane == number for number in range(1, len(labels.names) + 1)])


def _dices(outputs: Any) -> dict[CaseKey, dict[str, float]]:
    """Return the Dice of each case and class that has one."""
    found: dict[CaseKey, dict[str, float]] = {}
    for row in outputs if isinstance(outputs, list) else ():
        if isinstance(row, CaseScore) and row.status != "absent":
            found.setdefault(CaseKey(*row.key), {})[row.label] = row.dice
    return found


def _labelled(outputs: Any) -> set[CaseKey]:
    """Return the cases with a class in the label."""
    rows = outputs if isinstance(outputs, list) else ()
    return {CaseKey(*row.key) for row in rows if isinstance(row, CaseScore) and row.status in ("ok", "missed")}


def _unwritable(path: Path, error: OSError) -> RunError:
    return RunError(f"{path}: cannot be written: {error}.", "Free some space or choose another --out.")
