"""Fills a folder with synthetic CTs in the official layout of BTCV, to try `zoo` on volumes of real size.

python benchmarks/perf/btcv_folder.py FOLDER [--cases 30] [--pixels 512] [--slices 100 150]

Every volume has a body, noise and 13 organs whose places differ between cases. The 30 names are those of BTCV, so that
its protocols work: `zoo fit --model bipvl --data btcv --data.root FOLDER --trainer debug`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

NUMBERS = (*range(1, 11), *range(21, 41))
"""The numbers of the 30 labelled volumes of BTCV."""

_ORGANS = 13
_SLICE_MM = 3.0
_WIDTH_MM = 390.0


def main() -> None:
    """Parse the words of the command and fill the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, default=len(NUMBERS))
    parser.add_argument("--pixels", type=int, default=512)
    parser.add_argument("--slices", type=int, nargs=2, default=(100, 150), help="smallest and largest number")
    known = parser.parse_args()
    fill_folder(known.folder, known.cases, known.pixels, tuple(known.slices))


def fill_folder(
    folder: Path, cases: int = len(NUMBERS), pixels: int = 512, slices: tuple[int, int] = (100, 150)
) -> None:
    """Write `RawData/Training/{img,label}/{img,label}XXXX.nii.gz`; an existing file is kept.

    Args:
        folder: The folder to fill, the `--data.root` of `btcv`.
        cases: Number of volumes, at most 30.
        pixels: Width and height of a slice in pixels.
        slices: Smallest and largest number of slices.
    """
    places = [folder / "RawData" / "Training" / kind for kind in ("img", "label")]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    for number in NUMBERS[:cases]:
        paths = [place / f"{place.name}{number:04d}.nii.gz" for place in places]
        if all(path.is_file() for path in paths):
            continue
        for path, array in zip(paths, draw_case(number, pixels, slices), strict=True):
            step = _WIDTH_MM / pixels
            nib.save(nib.Nifti1Image(array, np.diag([-step, step, _SLICE_MM, 1.0])), path)


def draw_case(number: int, pixels: int, slices: tuple[int, int]) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Draw the image in Hounsfield units and the label [x, y, z] of a case; both depend on its number alone."""
    rng = np.random.default_rng(number)
    shape = (pixels, pixels, int(rng.integers(*slices, endpoint=True)))
    x, y, z = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    image = np.full(shape, -1000, np.int16)
    body = np.broadcast_to(x**2 / 0.8 + y**2 / 0.5 < 1, shape)
    image[body] = rng.normal(40, 30, int(body.sum())).astype(np.int16)
    label = np.zeros(shape, np.uint8)
    for organ in range(_ORGANS, 0, -1):  # smaller organs cover larger ones
        a, b, c = rng.uniform(-0.5, 0.5, 3)
        inside = (x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2 < (0.05 + 0.02 * organ) ** 2
        label[inside] = organ
        image[inside] += np.int16(10 * organ)
    return image, label


if __name__ == "__main__":
    main()
