"""Writes the score rows of all ranks into one file, with each case exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Sized
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from zoo import __version__
from zoo.callbacks.manifest import check_same_data, git_commit, scoring_conditions, tested_weights
from zoo.errors import RunError
from zoo.metrics.case_scores import LEAK, METRIC_VERSION, CaseScore, cases_hash, describe_case
from zoo.metrics.score_files import write_scores
from zoo.types import Native
from zoo.utils.json_objects import read_object

_OF_IMAGE = ("spacing", "shape")
"""What `about.json` has of each image: its voxel size and its size in voxels, on the native grid."""

ADVICE = "The test sampler must give each case to one rank alone."


class Scores(Callback):
    """Collects what `test_step` returns, and writes it after the last case.

    `about.json` beside the rows has the metric version, the split and the text of the test, because another version of
    the zoo may have trained the run. It also has the subject and the voxel size of each case, which statistics over
    subjects and other conventions need.

    Args:
        path: The file, `<out>/test/cases.csv`.
        manifest: The manifest of the run.
        changed: Options of the test that differ from the training and can change a score: dotted key -> value.
        origin: What made the scores: the run, its checkpoint, and the hashes of the files (`describe_origin`).
    """

    def __init__(
        self,
        path: Path,
        manifest: Path,
        changed: Mapping[str, Any] = MappingProxyType({}),
        origin: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.changed, self.origin = dict(changed), dict(origin)
        self.rows: list[CaseScore] = []
        self.images: dict[str, dict[str, list[Any]]] = {}

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that the splits are those of the training.

        Raises:
            RunError: The splits are other ones, so that test cases could be training cases, or the files are other
                ones with the same names.
        """
        known = read_object(self.manifest) if self.manifest.is_file() else {}
        trained, now = known.get("split_hash"), _split_hash(trainer)
        if trained and now and trained != now:
            raise RunError(
                f"{self.manifest}: the run was trained with the split {trained[:12]}, but these data have the split "
                f"{now[:12]}: cases of the training could be scored.",
                "Leave out --data.protocol and give the --data.root of the training.",
            )
        data = getattr(trainer, "datamodule", None)
        found = {"data_hash": getattr(data, "data_hash", None), **scoring_conditions(data)}
        check_same_data(self.manifest, {key: known.get(key) for key in found}, found)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start a new list."""
        self.rows, self.images = [], {}

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the rows of a batch."""
        if not isinstance(outputs, list) or not all(isinstance(row, CaseScore) for row in outputs):
            raise RunError(
                f"{type(pl_module).__name__}.test_step returned {type(outputs).__name__}, not a list of CaseScore.",
                "Return the rows of `zoo.metrics.scoring.score_case`.",
            )
        self.rows += outputs
        if outputs:  # empty if another rank scores the batch
            natives = zip(batch["case_id"], batch.get("native", ()), strict=False)
            self.images |= {case_id: describe_image(native) for case_id, native in natives}

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather the rows of all ranks; rank 0 checks and writes them."""
        mine = (self.rows, self.images)
        gathered = [mine]
        if trainer.world_size > 1:
            gathered = [mine] * trainer.world_size
            torch.distributed.all_gather_object(gathered, mine)
        self.rows = [row for rows, _ in gathered for row in rows]
        self.images = {case_id: image for _, images in gathered for case_id, image in images.items()}
        if getattr(getattr(trainer, "datamodule", None), "leak_declared", False):
            self.rows = [replace(row, mark=LEAK) for row in self.rows]
        limited = trainer.limit_test_batches not in (None, 1.0)
        check_once(self.rows, None if limited else _expected(trainer.test_dataloaders))
        if trainer.is_global_zero:
            about = describe(getattr(trainer, "datamodule", None), self.rows)
            images = {key: {case: image[key] for case, image in sorted(self.images.items())} for key in _OF_IMAGE}
            about |= {**images, **_describe_trainer(trainer, pl_module), "changed_options": self.changed, **self.origin}
            about |= {"tested_weights": tested_weights(getattr(trainer, "callbacks", []))}
            write_scores(self.path, self.rows, about | {"zoo": __version__, "git_commit": git_commit()})


def describe_image(native: Native) -> dict[str, list[Any]]:
    """Return the voxel size and the size in voxels of an image, on its native grid; the second is empty if unknown."""
    spacing = [float(size) for size in native.geometry.spacing]
    shape = [] if native.label is None else [int(size) for size in native.label.shape[-len(spacing) :]]
    return {"spacing": spacing, "shape": shape}


def _describe_trainer(trainer: Trainer, module: LightningModule) -> dict[str, Any]:
    """Return what of the machine and of the model can move a score."""
    device = getattr(module, "device", None)
    return {
        "precision": str(getattr(trainer, "precision", "") or "") or None,
        "device": None if device is None else str(device.type),
        "overlap": getattr(module, "overlap", None),
    }


def describe(data: Any, rows: Sequence[CaseScore]) -> dict[str, Any]:
    """Return the content of `about.json`; facts that the data of another package lack are None or empty.

    Args:
        data: The data module.
        rows: The rows of all ranks.
    """
    split = getattr(data, "split", None)
    owners: Mapping[str, str] = getattr(split, "subjects", {})
    leaks: list[Any] = getattr(split, "leaks", list)()
    return {
        "metric_version": METRIC_VERSION,
        "split_hash": getattr(data, "split_hash", None),
        **scoring_conditions(data),
        "prompt_hash": getattr(data, "prompt_hash", None),
        "data_hash": getattr(data, "data_hash", None),
        "patch": list(getattr(data, "patch", ())) or None,
        "cases_hash": cases_hash(rows),
        "text": getattr(data, "text", None),
        **{key: getattr(data, key, None) for key in ("fold", "folds")},
        "subjects": {case: owners[case] for case in sorted({row.case_id for row in rows}) if case in owners},
        "leaks": {leak.subject: sorted(leak.places) for leak in leaks},
    }


def check_once(rows: Sequence[CaseScore], expected: int | None) -> None:
    """Check that no case was scored twice, left out, or scored for some classes only.

    Args:
        rows: The rows of all ranks.
        expected: Number of cases; None if it is unknown.

    Raises:
        RunError: A case was; the message names it.
    """
    twice = [pair for pair, n in Counter((row.key, row.label) for row in rows).items() if n > 1]
    if twice:
        raise RunError(f"{describe_case(*twice[0][0])} was scored more than once ({len(twice)} such rows).", ADVICE)
    cases = Counter(row.key for row in rows)
    if expected is not None and len(cases) != expected:
        raise RunError(f"{len(cases)} cases were scored, but the test split has {expected}.", ADVICE)
    whole = {key: count for key, count in cases.items() if not key[1]}  # a query may be about some classes only
    if len(set(whole.values())) > 1:
        fewest = min(whole, key=lambda case: whole[case])
        raise RunError(
            f"{describe_case(*fewest)} has {cases[fewest]} rows, but other cases have {max(whole.values())}.", ADVICE
        )


def _split_hash(trainer: Trainer) -> str | None:
    """Return the hash of the split; None if the data of another package have none."""
    return getattr(getattr(trainer, "datamodule", None), "split_hash", None)


def _expected(loaders: Any) -> int | None:
    """Return the number of test cases: all ranks have the same data set and different samplers."""
    dataset = getattr(loaders, "dataset", None)
    return len(dataset) if isinstance(dataset, Sized) else None
