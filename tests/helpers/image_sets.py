"""Replicas of the layouts of the 2D data sets with text, and of a user's own data."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from zlib import crc32

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

CORNERS = ("top left", "top right", "bottom left", "bottom right")
Rows = Sequence[tuple[str, ...]]


def ball(shape: tuple[int, ...], centre: tuple[float, ...], radius: float) -> NDArray[np.bool_]:
    grid = np.indices(shape)
    return np.asarray(sum((axis - middle) ** 2 for axis, middle in zip(grid, centre, strict=True)) <= radius**2)


def write_picture(path: Path, array: NDArray[np.generic]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def write_table(path: Path, rows: Rows, bom: bool = False) -> Path:
    """Write a CSV or xlsx table of these rows; the first row is the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8-sig" if bom else "utf-8") as file:
            csv.writer(file).writerows(rows)
        return path
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def scene(
    number: int, size: tuple[int, int] = (48, 40), lesions: int = 1
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a picture [H, W, 3] and its mask [H, W] of 0 and 255; the lesion is in `CORNERS[number % 4]`."""
    rng = np.random.default_rng(number)
    height, width = size
    row, column = divmod(number % 4, 2)
    mask = ball(size, (height * (0.3, 0.7)[row], width * (0.3, 0.7)[column]), min(size) / 6) & bool(lesions)
    colours = rng.normal(90, 10, (height, width, 3)) + mask[..., None] * np.array([90, 60, 30])
    return np.clip(colours, 0, 255).astype(np.uint8), mask.astype(np.uint8) * 255


def make_mosmed(folder: Path, layout: str = "frames", column: str = "text") -> Path:
    """Write MosMedData+ as on Kaggle ("frames", CSV) or as LViT's folders ("lvit", xlsx). Every fifth is empty."""
    root = folder / "MosMedDataPlus"
    studies = [*(f"Morozov_study_{n:04d}" for n in range(255, 263)), "Jun_coronacases_case8", "bjorke"]
    names = [f"{study}_{number}" for number in (1, 12, 3) for study in studies]
    parts = {"Train": names[:20], "Val": names[20:24], "Test": names[24:]}  # cut by slice, as published
    for part, inside in parts.items():
        rows: list[tuple[str, ...]] = [("Image", column)]
        for name in inside:
            number = names.index(name)
            picture, mask = scene(number, (40, 40), lesions=number % 5)
            where = root if layout == "frames" else root / f"{part}_Folder"
            images, masks = ("frames", "masks") if layout == "frames" else ("img", "labelcol")
            write_picture(where / images / f"{name}.png", picture.mean(axis=2).astype(np.uint8))
            write_picture(where / masks / f"{name}.png", np.repeat(mask[..., None], 3, axis=2))
            side = f"{('upper', 'lower')[number % 4 // 2]} {('left', 'right')[number % 2]} lung"
            told = f"Unilateral pulmonary infection, one infected areas, {side}.."
            rows.append((f"{name}.png", told if number % 5 else "No pulmonary infection, zero infected areas."))
        if layout == "frames":
            write_table(root / f"{part}_text_MosMedData+ 1(in).csv", rows)
        else:
            write_table(root / f"{part}_Folder" / f"{part}_text.xlsx", rows)
    return root


def make_monuseg(folder: Path) -> Path:
    """Write MoNuSeg in LViT's layout; the images of train are TIFF."""
    root, number = folder / "MoNuSeg", 0
    for part, count in (("Train", 6), ("Val", 2), ("Test", 3)):
        rows: list[tuple[str, ...]] = [("Image", "Description")]
        for _ in range(count):
            name = f"TCGA-A{number % 10}-{5000 + number}-01Z-00-DX1"
            picture, mask = scene(number, (48, 48))
            write_picture(root / f"{part}_Folder" / "img" / f"{name}{'.tif' if part == 'Train' else '.png'}", picture)
            write_picture(root / f"{part}_Folder" / "labelcol" / f"{name}.png", mask)
            upper, side = (("upper", "lower")[number % 4 // 2], ("left", "right")[number % 2])
            rows.append((f"{name}.png", f"The nuclei density in the {upper} {side} is high."))
            number += 1
        write_table(root / f"{part}_Folder" / f"{part}_text.xlsx", rows)
    return root


def _write_volume(path: Path, array: NDArray[np.generic], affine: NDArray[np.float64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)


def polyp_text(number: int) -> str:
    return f"One colonic polyp.One medium,irregular,smooth colonic polyp on the {CORNERS[number % 4]}."


def make_pranet(folder: Path) -> Path:
    """Write PraNet's folders of Kvasir and ClinicDB, and of one more set, with MAdapter's tables (with a BOM)."""
    root = folder / "polyp"
    clinic = (1, 2, 30, 60, 70, 80, 110, 130, 160, 161, 180, 210)
    sets = {"Kvasir": [f"cju{number:03d}" for number in range(12)], "CVC-ClinicDB": [str(n) for n in clinic]}
    tables = {"Kvasir": "Kvasir", "CVC-ClinicDB": "Clinic_DB"}
    for name, stems in sets.items():
        for part, inside in (("train", stems[:9]), ("test", stems[9:])):
            home = root / "TrainDataset" if part == "train" else root / "TestDataset" / name
            _polyps(home, inside, ("image", "mask") if part == "train" else ("images", "masks"))
            rows = [
                (f"{stem}.png", polyp_text(i) if part == "train" else "Polyp center.") for i, stem in enumerate(inside)
            ]
            write_table(root / "text" / f"{tables[name]}_{part}.csv", [("Image", "Description"), *rows], bom=True)
    extra = {"CVC-ColonDB": "Colon_DB", "CVC-300": "CVC300", "ETIS-LaribPolypDB": "ETIS"}
    for name, table in extra.items():
        stems = [str(number) for number in range(1, 5)]
        _polyps(root / "TestDataset" / name, stems, ("images", "masks"))
        rows = [(f"{stem}.png", polyp_text(i)) for i, stem in enumerate(stems)]
        write_table(root / "text" / f"{table}.csv", [("Image", "Description"), *rows], bom=True)
    return root


def _polyps(home: Path, stems: Sequence[str], names: tuple[str, str]) -> None:
    for number, stem in enumerate(stems):
        own = crc32(f"{home.name}/{stem}".encode()) // 4 * 4 + number % 4  # no two data sets have a picture in common
        picture, mask = scene(own, (48 + number % 3, 40))
        write_picture(home / names[0] / f"{stem}.png", picture)
        write_picture(home / names[1] / f"{stem}.png", mask)


def make_kvasir_seg(folder: Path) -> Path:
    """Write the authors' own `Kvasir-SEG`, images and masks as JPEG, with MAdapter's tables beside them."""
    root = folder / "Kvasir-SEG"
    stems = [f"cju{number:03d}" for number in range(10)]
    for number, stem in enumerate(stems):
        picture, mask = scene(number, (48, 44))
        write_picture(root / "images" / f"{stem}.jpg", picture)
        write_picture(root / "masks" / f"{stem}.jpg", np.repeat(mask[..., None], 3, axis=2))
    for part, inside in (("train", stems[:8]), ("test", stems[8:])):
        rows = [(f"{stem}.jpg", polyp_text(i)) for i, stem in enumerate(inside)]
        write_table(root / f"Kvasir_{part}.csv", [("Image", "Description"), *rows], bom=True)
    return root


def make_clinicdb(folder: Path, kind: str = "PNG") -> Path:
    """`CVC-ClinicDB/{PNG,TIF}/{Original,Ground Truth}` as on Kaggle, with MAdapter's tables beside it."""
    root, stems = folder / "CVC-ClinicDB", [str(number) for number in (1, 2, 30, 60, 80, 110, 130, 160, 200, 300)]
    end = f".{kind.lower()}"
    for number, stem in enumerate(stems):
        picture, mask = scene(number, (48, 40))
        write_picture(root / kind / "Original" / f"{stem}{end}", picture)
        write_picture(root / kind / "Ground Truth" / f"{stem}{end}", mask)
    (root / "metadata.csv").write_text("frame_id,sequence_id,png_image_path\n1,1,PNG/Original/1.png\n")
    for part, inside in (("train", stems[:7]), ("test", stems[7:])):
        rows = [(f"{stem}.png", polyp_text(stems.index(stem))) for stem in inside]
        write_table(folder / f"Clinic_DB_{part}.csv", [("Image", "Description"), *rows], bom=True)
    return folder


def make_etis(root: Path) -> Path:
    """The authors' `ETIS-LaribPolypDB/{ETIS-LaribPolypDB,Ground Truth}` in TIFF, its masks named `p1.tif`."""
    for number in range(4):
        picture, mask = scene(number, (48, 40))
        home = root / "ETIS-LaribPolypDB"
        write_picture(home / "ETIS-LaribPolypDB" / f"{number + 1}.tif", picture)
        write_picture(home / "Ground Truth" / f"p{number + 1}.tif", mask)
    return root


def make_medclipseg(folder: Path, name: str = "Kvasir") -> Path:
    """LViT's layout as MedCLIPSeg passes it on: `label`, `Prompts_Folder`, variants of the test captions."""
    root, number = folder / name, 0
    for part, count in (("Train", 5), ("Val", 2), ("Test", 2)):
        rows: list[tuple[str, ...]] = [("Image", "Description")]
        for _ in range(count):
            picture, mask = scene(number)
            stem = f"cju{number:03d}"
            write_picture(root / f"{part}_Folder" / "img" / f"{stem}.jpg", picture)
            write_picture(root / f"{part}_Folder" / "label" / f"{stem}.png", mask)
            rows.append((f"{stem}.png", polyp_text(number)))
            number += 1
        ends = ("_original", "_contradictory") if part == "Test" else ("", "_10")
        for end in ends:
            write_table(root / "Prompts_Folder" / f"{part}_text{end}.xlsx", rows)
    return root


def make_own_pictures(folder: Path, text: bool = True, split: bool = False, subjects: bool = True) -> Path:
    """A folder of one's own with `cases.csv` and `dataset.yaml`: two classes in colour."""
    root = folder / "mine"
    header = ["image", "mask", *(["text"] if text else []), *(["subject"] * subjects), *(["split"] * split)]
    rows: list[tuple[str, ...]] = [tuple(header)]
    for number in range(12):
        picture, mask = scene(number)
        mask[mask > 0] = 1 + number % 2
        write_picture(root / "pictures" / f"p{number}.jpg", picture)
        write_picture(root / "masks" / f"p{number}.png", mask)
        row = [f"pictures/p{number}.jpg", f"masks/p{number}.png"]
        row += [f"A spot in the {CORNERS[number % 4]}."] if text else []
        row += [f"person {number // 2}"] * subjects
        row += [("train", "train", "train", "validation", "test", "test")[number // 2]] * split
        rows.append(tuple(row))
    write_table(root / "cases.csv", rows, bom=True)
    (root / "dataset.yaml").write_text("classes: {red spot: [1], blue spot: 2}\nchannels: 3\nlaterality: image\n")
    return root


def make_own_volumes(folder: Path, form: str = "decathlon", channels: int = 1) -> Path:
    """A folder of one's own with a `dataset.json` in the form "decathlon" or "nnunet"; two classes."""
    root, entries = folder / "volumes", []
    for number in range(6):
        rng = np.random.default_rng(number)
        label = np.zeros((16, 14, 12), np.uint8)
        label[ball(label.shape, (5, 7, 6), 3)] = 1
        label[ball(label.shape, (11, 7, 6), 3)] = 2
        image = rng.normal(0, 0.2, (*label.shape, channels)) + label[..., None]
        name = f"case{number // 2}_{number}"
        affine = np.diag([1.0, 1.0, 2.0, 1.0])
        _write_volume(root / "labelsTr" / f"{name}.nii.gz", label, affine)
        if form == "decathlon":
            volume = image[..., 0] if channels == 1 else image
            _write_volume(root / "imagesTr" / f"{name}.nii.gz", volume.astype(np.float32), affine)
        else:
            for channel in range(channels):
                path = root / "imagesTr" / f"{name}_{channel:04d}.nii.gz"
                _write_volume(path, image[..., channel].astype(np.float32), affine)
        entries.append({"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"})
    modality = {str(channel): "MR" for channel in range(channels)}
    listing = (
        {"labels": {"0": "background", "1": "Left Kidney", "2": "liver"}, "modality": modality, "training": entries}
        if form == "decathlon"
        else {"labels": {"background": 0, "Left Kidney": 1, "liver": 2}, "channel_names": modality, "numTraining": 6}
    )
    (root / "dataset.json").write_text(json.dumps(listing), encoding="utf-8")
    return root


SLICE_REPLICAS: dict[str, Callable[[Path], Path]] = {
    "mosmed_plus": make_mosmed,
    "monuseg": make_monuseg,
    **dict.fromkeys(("kvasir", "clinicdb", "colondb", "cvc300", "etis"), make_pranet),
    "image_text_folder": make_own_pictures,
    "nifti_folder": make_own_volumes,
}
