"""Label images as other programs write them, for tests of `zoo score`; nothing here knows how the zoo reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from benchmarks.cli.score import main

Change = Callable[[NDArray[Any]], NDArray[Any]]


def shift(array: NDArray[Any]) -> NDArray[Any]:
    """Return the mask one voxel to the side: a prediction with mistakes."""
    return np.roll(array, 1, axis=0)


def copy_volumes(
    task: Path, folder: Path, form: str = "{}.nii.gz", change: Change = shift, cases: Sequence[str] | None = None
) -> Path:
    """Write a changed copy of each label of a Decathlon task.

    Args:
        task: The folder of the task.
        folder: Where to.
        form: The path of a file in the folder, with `{}` for the case.
        change: Makes the prediction of the label.
        cases: The cases; None for all.
    """
    for label in sorted((task / "labelsTr").glob("*.nii.gz")):
        name = label.name.removesuffix(".nii.gz")
        if cases is None or name in cases:
            image = nib.load(label)
            path = folder / form.replace("{}", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(change(np.asarray(image.dataobj)).astype(np.uint8), image.affine), path)
    return folder


def score(predictions: Path, out: Path, *more: str, data: str = "hippocampus", name: str = "Ours") -> int:
    """Run `zoo score` in this process and return its exit code."""
    return main([str(predictions), "--data", data, "--name", name, "--out", str(out), *more])
