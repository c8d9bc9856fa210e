"""Finished runs of a tiny network, with checkpoint, seals and scores, without any training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import zoo
from tests.helpers.score_rows import one_row
from tests.helpers.sealed_runs import CONFIG, write_run, write_test
from zoo.engine.run_folder import RunFolder
from zoo.engine.run_seals import seal_files
from zoo.models import TextQuery
from zoo.preprocessing import PreprocessingSpec
from zoo.preprocessing.training_input import TrainingInput
from zoo.utils.seals import FILES

CLASSES = ("liver", "spleen")


def make_run(run: Path, data: str = "phantom_abdomen", seed: int = 0, **manifest: Any) -> Path:
    """Write a finished run with two tests.

    Args:
        run: The run folder.
        data: Name of the data set that the manifest names.
        seed: Seed of the weights.
        **manifest: Further entries of the manifest.
    """
    torch.manual_seed(seed)
    facts = zoo.make_facts(CLASSES, patch=[16, 16], name=data)
    model = TextQuery(facts, encoder="tiny", vision="unet", width=4, stages=2)
    images = TrainingInput({"": PreprocessingSpec(size=(16, 16))}, "px")
    checkpoint = {
        "pytorch-lightning_version": "2.6.4",
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "hparams_name": "kwargs",
        "zoo_input": images.to_dict(),
    }
    config = {
        **CONFIG,
        "model": {"class_path": "zoo.models.TextQuery", "init_args": {"encoder": "tiny"}},
        "data": {"class_path": "datamodules.sets.PhantomAbdomen", "init_args": {"root": f"{run}/secret", "fold": 0}},
    }
    (run / "checkpoints").mkdir(parents=True)
    known = {
        "model": "text_query", "size": "tiny", "data": data, "text_track": "class", "seed": seed, "epochs_trained": 3,
        "split_sizes": {"train": 7, "val": 1, "test": 2}, "folder": str(run), "hardware": "my machine", "zoo": "0.1.0",
        "init_from": {"source": f"{run}/secret/other", "sha256": "0" * 64},
    }  # fmt: skip
    write_run(run, {}, checkpoints=(), config=config)
    torch.save(checkpoint, run / "checkpoints" / "best.ckpt")
    write_run(run, {**known, **manifest, FILES: seal_files(RunFolder(run), {})}, checkpoints=(), config=config)
    rows = [
        one_row(case_id=case, label=name, index=place)
        for case in ("one", "two")
        for place, name in enumerate(CLASSES, start=1)
    ]
    for step in ("test", "test-blank"):
        write_test(run, step, rows, {"subjects": {"one": "patient-7"}})
    return run
