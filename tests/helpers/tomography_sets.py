"""Small replicas of data sets of CT and PET whose layouts are folders of pairs or one folder per case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.helpers.volume_sets import labelled, save

SHAPE = (24, 22, 14)


def make_kits23(folder: Path, cases: int = 5) -> Path:
    """Write `dataset` with kidneys, tumours and cysts; return it."""
    root = folder / "kits23" / "dataset"
    for number in range(cases):
        image, label = labelled(SHAPE, (1, 2, 3), number)
        save(root / f"case_{number:05d}" / "imaging.nii.gz", image, (2.0, 2.0, 3.0))
        save(root / f"case_{number:05d}" / "segmentation.nii.gz", label, (2.0, 2.0, 3.0))
    (root / "kits23.json").write_text("[]", encoding="utf-8")
    return root


def make_word(folder: Path, counts: tuple[int, int, int] = (3, 1, 1)) -> Path:
    """Write `WORD-V0.1.0` with so many cases in `Tr`, `Val` and `Ts`; return it."""
    root, number = folder / "WORD-V0.1.0", 0
    for part, count in zip(("Tr", "Val", "Ts"), counts, strict=True):
        for _ in range(count):
            number += 1
            image, label = labelled((28, 26, 16), range(1, 17), number)
            save(root / f"images{part}" / f"word_{number:04d}.nii.gz", image, (2.0, 2.0, 3.0))
            save(root / f"labels{part}" / f"word_{number:04d}.nii.gz", label, (2.0, 2.0, 3.0))
    return root


def make_flare22(folder: Path, cases: int = 5) -> Path:
    """Write `FLARE22Train`; return it."""
    root = folder / "FLARE22Train"
    for number in range(1, cases + 1):
        image, label = labelled((28, 26, 16), range(1, 14), number)
        save(root / "images" / f"FLARE22_Tr_{number:04d}_0000.nii.gz", image, (2.0, 2.0, 3.0))
        save(root / "labels" / f"FLARE22_Tr_{number:04d}.nii.gz", label, (2.0, 2.0, 3.0))
    return root


def make_autopet(folder: Path, patients: int = 5) -> Path:
    """Write `FDG-PET-CT-Lesions`; return it. The first patient has two studies, and the last one has no lesion."""
    root = folder / "FDG-PET-CT-Lesions"
    for number in range(patients):
        for visit in range(2 if number == 0 else 1):
            study = (
                root
                / f"PETCT_{number:010x}"
                / f"0{visit + 1}-02-2003-NA-PET-CT Ganzkoerper  primaer mit KM-{number:05d}"
            )
            image, label = labelled(SHAPE, () if number == patients - 1 else (1,), 10 * number + visit, channels=2)
            for channel, kind in enumerate(("CTres", "SUV")):
                save(study / f"{kind}.nii.gz", image[..., channel], (4.0, 4.0, 3.0))
            save(study / "SEG.nii.gz", label, (4.0, 4.0, 3.0))
            (study / "PET.nii.gz").write_bytes(b"not read")
    (root / "fdg_metadata.csv").write_text("not read\n", encoding="utf-8")
    return root


TOMOGRAPHY_REPLICAS: dict[str, Callable[[Path], Path]] = {
    "autopet": make_autopet,
    "flare22": make_flare22,
    "kits23": make_kits23,
    "word": make_word,
}
"""How each layout is made; each returns the root."""
