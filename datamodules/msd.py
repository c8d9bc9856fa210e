"""The Medical Segmentation Decathlon's layout: `dataset.json`, `imagesTr`, `labelsTr`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo.errors import DataError
from zoo.types import Case


def decathlon_cases(root: Path, task: str) -> list[Case]:
    """The labelled cases of one task, in the order of `dataset.json`.

    Args:
        root: The task's folder, or the folder it lies in.
        task: Its name in the archive, as "Task04_Hippocampus".

    Raises:
        DataError: No `dataset.json`, or it is not the archive's.
    """
    folder = root if (root / "dataset.json").is_file() else root / task
    listing = folder / "dataset.json"
    try:
        training = json.loads(listing.read_text(encoding="utf-8"))["training"]
        pairs = [(_file(folder, entry["image"]), _file(folder, entry["label"])) for entry in training]
    except OSError as error:
        raise DataError(f"{listing}: cannot be read ({error.strerror}).", f"Give the folder of {task}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{listing}: not the archive's listing ({error!r}).", "Fetch the archive again.") from error
    cases = []
    for image, label in pairs:
        if image.name.startswith("._"):  # what macOS leaves beside a file
            continue
        case_id = image.name.removesuffix(".gz").removesuffix(".nii")
        cases.append(Case(case_id, (image,), label, subject=case_id))
    return cases


def _file(folder: Path, name: Any) -> Path:
    if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{name!r} leads out of the folder")
    return folder / name
