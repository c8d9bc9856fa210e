"""Small replicas of the official layouts of data sets of volumes."""

from __future__ import annotations

import json
import locale
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

AMOS_LABELS = (
    *("background", "spleen", "right kidney", "left kidney", "gall bladder", "esophagus", "liver", "stomach", "arota"),
    *("postcava", "pancreas", "right adrenal gland", "left adrenal gland", "duodenum", "bladder", "prostate/uterus"),
)
"""As the archive spells them."""

MSD_LABELS = {
    "Task01_BrainTumour": ("edema", "non-enhancing tumor", "enhancing tumour"),
    "Task02_Heart": ("left atrium",),
    "Task03_Liver": ("liver", "cancer"),
    "Task04_Hippocampus": ("Anterior", "Posterior"),
    "Task05_Prostate": ("PZ", "TZ"),
    "Task06_Lung": ("cancer",),
    "Task07_Pancreas": ("pancreas", "cancer"),
    "Task08_HepaticVessel": ("Vessel", "Tumour"),
    "Task09_Spleen": ("spleen",),
    "Task10_Colon": ("colon cancer primaries",),
}
MSD_CHANNELS = {"Task01_BrainTumour": 4, "Task05_Prostate": 2}
CHAOS_VALUES = (63, 126, 189, 252)
MMWHS_VALUES = (205, 420, 500, 550, 600, 820, 850)


def save(path: Path, array: NDArray[np.generic], spacing: Sequence[float] = (1.0, 1.0, 1.0)) -> Path:
    """Write a NIfTI file whose x axis runs to the left, as in files of most scanners."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.diag([-spacing[0], *spacing[1:], 1.0])), path)
    return path


def labelled(
    shape: tuple[int, ...], values: Iterable[int], seed: int, channels: int = 1, dtype: type[np.generic] = np.uint8
) -> tuple[NDArray[np.int16], NDArray[np.generic]]:
    """Return an image [*S] or [*S, C] of -900 around a body of about 40, and a label with one cube per value."""
    rng = np.random.default_rng(seed)
    label = np.zeros(shape, dtype=np.int32)
    for value in values:
        start = [int(rng.integers(2, max(3, size - 6))) for size in shape]
        label[tuple(slice(first, first + 4) for first in start)] = value
    image = np.full((*shape, channels), -900.0)
    image[2:-2, 2:-2] = rng.normal(40, 15, (shape[0] - 4, shape[1] - 4, shape[2], channels))
    image[label > 0] = 80 + rng.normal(0, 5, (int((label > 0).sum()), channels))
    found = image.astype(np.int16)
    return (found[..., 0] if channels == 1 else found), label.astype(dtype)


def make_amos(folder: Path, modality: str = "both", train: int = 4, val: int = 2) -> Path:
    """Write `amos22` with `train` and `val` cases of each modality; return the folder of `imagesTr`."""
    root, listing = folder / "amos22", {"training": [], "validation": []}  # type: ignore[var-annotated]
    firsts = {"ct": 1, "mr": 507}
    for kind in firsts if modality == "both" else (modality,):
        for place in range(train + val):
            part, key = ("Tr", "training") if place < train else ("Va", "validation")
            name = f"amos_{firsts[kind] + 3 * place:04d}.nii.gz"
            image, label = labelled((24, 22, 14), range(1, 14 if kind == "mr" else 16), firsts[kind] + place)
            save(root / f"images{part}" / name, image, (2.0, 2.0, 3.0))
            save(root / f"labels{part}" / name, label, (2.0, 2.0, 3.0))
            listing[key].append({"image": f"./images{part}/{name}", "label": f"./labels{part}/{name}"})
    (root / "imagesTr" / "._amos_0001.nii.gz").write_bytes(b"a trace of macOS")
    labels = {str(value): name for value, name in enumerate(AMOS_LABELS)}
    (root / "dataset.json").write_text(json.dumps({"name": "AMOS", "labels": labels, **listing}), encoding="utf-8")
    return root


def make_acdc(folder: Path, training: int = 20, testing: int = 5) -> Path:
    """Write `ACDC/database` with patients of the five diagnoses in turn; return `database`."""
    root = folder / "ACDC" / "database"
    for number in range(1, training + testing + 1):
        name = f"patient{number:03d}"
        home = root / ("training" if number <= training else "testing") / name
        first, last = (4 if number == 10 else 1), 8 + number % 4  # patient 90 of the archive begins at frame 4
        for frame in (first, last):
            image, label = labelled((24, 26, 6), (1, 2, 3), 100 * number + frame)
            save(home / f"{name}_frame{frame:02d}.nii.gz", image, (1.5, 1.5, 10.0))
            save(home / f"{name}_frame{frame:02d}_gt.nii.gz", label, (1.5, 1.5, 10.0))
        (home / f"{name}_4d.nii.gz").write_bytes(b"not read")
        (home / "MANDATORY_CITATION.md").write_text("The challenge's paper.\n", encoding="utf-8")
        group = ("NOR", "MINF", "DCM", "HCM", "RV")[number % 5]
        lines = [f"ED: {first}\nES: {last}\nGroup: {group}\nHeight: 170.0\nNbFrame: 30\nWeight: 70.0\n"]
        (home / "Info.cfg").write_text("".join(lines), encoding="utf-8")
    return root


def make_mmwhs(folder: Path, modality: str = "both", cases: int = 5) -> Path:
    """Write `ct_train` and `mr_train`, and a test split without labels; return their folder."""
    root = folder / "MM-WHS 2017 Dataset"
    for kind in ("ct", "mr") if modality == "both" else (modality,):
        for number in range(1001, 1001 + cases):
            image, label = labelled((20, 22, 18), MMWHS_VALUES, number + 100 * (kind == "mr"), dtype=np.int16)
            save(root / f"{kind}_train" / f"{kind}_train_{number}_image.nii.gz", image)
            save(root / f"{kind}_train" / f"{kind}_train_{number}_label.nii.gz", label)
        save(root / f"{kind}_test" / f"{kind}_test_2001_image.nii.gz", image)
    return root


def wrap(path: Path, inner: str) -> None:
    """Unpack a volume as in some copies on Kaggle: `x.nii.gz` becomes the folder `x.nii` with `inner`."""
    plain, home = nib.load(path), path.with_name(path.name.removesuffix(".gz"))
    array, affine = np.asarray(plain.dataobj), plain.affine
    path.unlink()
    home.mkdir()
    nib.save(nib.Nifti1Image(array, affine), home / inner)


def make_brats(folder: Path, layout: str = "new", subjects: int = 6, old_name: str = "BraTS2021_{:05d}") -> Path:
    """Write a training split (the first subject of "new" has two visits) and a validation split without labels."""
    new = layout == "new"
    ends, dash, enhancing = (("t1n", "t1c", "t2w", "t2f"), "-", 3) if new else (("t1", "t1ce", "t2", "flair"), "_", 4)
    root = folder / ("ASNR-MICCAI-BraTS2023-GLI" if new else "BraTS2021")
    train, val = root / "TrainingData", root / "ValidationData"
    visits = [(number, 0) for number in range(subjects)] + ([(0, 1)] if new else [])
    for number, visit in visits:
        name = f"BraTS-GLI-{number:05d}-{visit:03d}" if new else old_name.format(number)
        image, label = labelled((22, 24, 20), (1, 2, enhancing), number * 10 + visit, channels=4)
        image[image == -900] = 0
        for channel, end in enumerate(ends):
            save(train / name / f"{name}{dash}{end}.nii.gz", image[..., channel])
        save(train / name / f"{name}{dash}seg.nii.gz", label)
    bare = "BraTS-GLI-00900-000" if new else old_name.format(900)
    for channel, end in enumerate(ends):
        save(val / bare / f"{bare}{dash}{end}.nii.gz", image[..., channel])
    return root


def make_msd(folder: Path, task: str, cases: int = 6) -> Path:
    """Write a task of the Decathlon; return its folder."""
    root, names = folder / task, MSD_LABELS[task]
    channels, entries = MSD_CHANNELS.get(task, 1), []
    for number in range(1, cases + 1):
        image, label = labelled((24, 26, 12), range(1, len(names) + 1), number, channels)
        if task == "Task01_BrainTumour":
            image[image == -900] = 0
        name = f"{task.partition('_')[2].lower()}_{number:03d}.nii.gz"
        save(root / "imagesTr" / name, image, (1.0, 1.0, 3.0))
        save(root / "labelsTr" / name, label, (1.0, 1.0, 3.0))
        entries.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    for part in ("imagesTr", "labelsTr"):
        (root / part / f"._{name}").write_bytes(b"a trace of macOS")
    labels = {"0": "background", **{str(value): text for value, text in enumerate(names, start=1)}}
    listing = {"labels": labels, "training": entries, "test": [f"./imagesTs/{task}_999.nii.gz"]}
    (root / "dataset.json").write_text(json.dumps(listing), encoding="utf-8")
    return root


def make_chaos(folder: Path, series: str = "t2spir", patients: int = 5, slices: int = 6) -> Path:
    """Write `CHAOS_Train_Sets/Train_Sets` with one kind of series; return `Train_Sets`.

    CT slices are numbered from the head downwards, so that numbers run against positions.
    """
    root = folder / "CHAOS_Train_Sets" / "Train_Sets"
    ct = series == "ct"
    for patient in range(1, patients + 1):
        values = (255,) if ct else CHAOS_VALUES
        home = root / "CT" / str(patient) if ct else root / "MR" / str(patient) / series.upper()
        image, label = labelled((24, 20, slices), values, patient)
        for place in range(slices):
            height = (slices - 1 - place if ct else place) * 6.0
            if ct:
                names = {"": (f"i{place:04d},0000b", f"liver_GT_{place:03d}")}
            elif series == "t2spir":
                names = {"": (f"IMG-0002-{place + 1:05d}",) * 2}
            else:
                inphase = f"IMG-0004-{2 * place + 2:05d}"
                names = {"InPhase": (inphase, inphase), "OutPhase": (f"IMG-0004-{2 * place + 1:05d}", inphase)}
            for phase, (name, mask) in names.items():
                pixels = image[:, :, place].T + (1024 if not ct else 0)
                write_dicom(home / "DICOM_anon" / phase / f"{name}.dcm", pixels, height, 1.6)
                (home / "Ground").mkdir(parents=True, exist_ok=True)
                Image.fromarray(label[:, :, place].T.astype(np.uint8)).save(home / "Ground" / f"{mask}.png")
    return root


def write_dicom(path: Path, pixels: NDArray[np.int16], height: float, spacing: float) -> Path:
    """Write one slice [row, column] at a height in mm; each slice has its own series, as in CHAOS."""
    import SimpleITK as sitk  # noqa: N813

    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(pixels[None].astype(np.int16))
    image.SetSpacing((spacing, spacing, 6.0))
    image.SetOrigin((-20.0, -10.0, height))
    tags = {"0008|0060": "MR", "0020|0032": f"-20\\-10\\{height}", "0020|0037": "1\\0\\0\\0\\1\\0"}
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    before = locale.setlocale(locale.LC_CTYPE)
    sitk.WriteImage(image, str(path))
    locale.setlocale(locale.LC_CTYPE, before)  # GDCM's writer leaves "C": later tests would read text as ASCII
    return path


VOLUME_REPLICAS: dict[str, Callable[[Path], Path]] = {
    "acdc": make_acdc,
    "amos22": make_amos,
    "amos22_ct": partial(make_amos, modality="ct"),
    "amos22_mr": partial(make_amos, modality="mr"),
    "brats": make_brats,
    "chaos": make_chaos,
    "chaos_ct": partial(make_chaos, series="ct"),
    "chaos_t1dual": partial(make_chaos, series="t1dual"),
    "mmwhs": make_mmwhs,
    "mmwhs_ct": partial(make_mmwhs, modality="ct"),
    "mmwhs_mr": partial(make_mmwhs, modality="mr"),
    "msd_brain_tumour": partial(make_msd, task="Task01_BrainTumour"),
    "msd_colon": partial(make_msd, task="Task10_Colon"),
    "msd_heart": partial(make_msd, task="Task02_Heart"),
    "msd_hepatic_vessel": partial(make_msd, task="Task08_HepaticVessel"),
    "msd_hippocampus": partial(make_msd, task="Task04_Hippocampus"),
    "msd_liver": partial(make_msd, task="Task03_Liver"),
    "msd_lung": partial(make_msd, task="Task06_Lung"),
    "msd_pancreas": partial(make_msd, task="Task07_Pancreas"),
    "msd_prostate": partial(make_msd, task="Task05_Prostate"),
    "msd_spleen": partial(make_msd, task="Task09_Spleen"),
}
"""How each layout is made; each returns the root."""
