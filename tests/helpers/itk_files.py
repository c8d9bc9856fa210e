"""NRRD files by pynrrd, and MetaImage files by their published header: written without ITK, which reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nrrd
import numpy as np
from numpy.typing import NDArray

_SIGNS = {"left": -1, "right": 1, "posterior": -1, "anterior": 1, "superior": 1, "inferior": -1}
_TYPES = {"float32": "MET_FLOAT", "uint8": "MET_UCHAR", "int16": "MET_SHORT"}


def write_nrrd(path: Path, array: NDArray[Any], affine: NDArray[np.float64], space: str) -> Path:
    """Write a volume [X, Y, Z] with an affine from voxels to RAS millimetres.

    Args:
        path: The file.
        array: The voxels.
        affine: 4x4.
        space: Where the axes of the header point, such as "left-posterior-superior".
    """
    signs = np.array([_SIGNS[word] for word in space.split("-")])
    directions = affine[:3, :3] * signs[:, None]
    header = {"space": space, "space directions": directions.T, "space origin": affine[:3, 3] * signs}
    nrrd.write(str(path), array, header)
    return path


def write_mha(path: Path, array: NDArray[Any], affine: NDArray[np.float64] | None) -> Path:
    """Write a volume [X, Y, Z] or [X, Y, Z, C] with an affine from voxels to RAS millimetres, or a picture [X, Y].

    The voxels of a file `.mhd` are in a second file, `.raw`.
    """
    axes = 2 if affine is None else 3
    lines = ["ObjectType = Image", f"NDims = {axes}", "BinaryData = True", "BinaryDataByteOrderMSB = False"]
    if affine is not None:
        columns = affine[:3] * np.array([-1.0, -1.0, 1.0])[:, None]
        sizes = np.linalg.norm(columns[:, :3], axis=0)
        lines.append(f"TransformMatrix = {_words((columns[:, :3] / sizes).T.ravel())}")
        lines += [f"Offset = {_words(columns[:, 3])}", f"ElementSpacing = {_words(sizes)}"]
    lines.append(f"DimSize = {' '.join(str(length) for length in array.shape[:axes])}")
    if array.ndim > axes:
        lines.append(f"ElementNumberOfChannels = {array.shape[-1]}")
    lines.append(f"ElementType = {_TYPES[array.dtype.name]}")
    apart = path.suffix == ".mhd"
    raw = path.with_suffix(".raw")
    lines.append(f"ElementDataFile = {raw.name if apart else 'LOCAL'}\n")
    order = [*reversed(range(axes)), *range(axes, array.ndim)]
    content = np.ascontiguousarray(np.transpose(array, order)).tobytes()
    path.write_bytes("\n".join(lines).encode() + (b"" if apart else content))
    if apart:
        raw.write_bytes(content)
    return path


def _words(numbers: NDArray[np.float64]) -> str:
    return " ".join(repr(float(number)) for number in numbers)
