"""NRRD and MetaImage files, the formats of 3D Slicer, ITK-SNAP and MITK. Needs the extra `dicom` (SimpleITK)."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.io.axes import to_ras
from zoo.io.itk_file import read_file
from zoo.types import Geometry
from zoo.utils.atomic_files import write_atomically
from zoo.utils.child_process import ChildError, ChildPool
from zoo.utils.extras import advise_extra
from zoo.utils.limits import get_limit, raise_limit

_READERS = {".nrrd": "NrrdImageIO", ".nhdr": "NrrdImageIO", ".mha": "MetaImageIO", ".mhd": "MetaImageIO"}

ITK_SUFFIXES = tuple(_READERS)
"""Suffixes of the files of this module. The voxels of `.nhdr` and `.mhd` are in a second file."""

_ONE_FILE = {".nhdr": ".nrrd", ".mhd": ".mha"}
_LPS = np.array([-1.0, -1.0, 1.0])

_processes = ChildPool()


def is_itk(path: Path) -> bool:
    """Return whether the name of a file is that of a NRRD or MetaImage file."""
    return path.suffix.lower() in _READERS


def itk_name(name: str) -> str:
    """Return the name of a mask for the image of a name: the same format, always in one file.

    Example:
        >>> itk_name("scan.mhd"), itk_name("scan.NRRD")
        ('scan.mha', 'scan.nrrd')
    """
    suffix = Path(name).suffix
    return f"{name.removesuffix(suffix)}{_ONE_FILE.get(suffix.lower(), suffix.lower())}"


def read_itk(path: Path, dtype: Any, channels: int | None = None) -> tuple[NDArray[Any], Geometry]:
    """Read a volume or a picture.

    Args:
        path: The file.
        dtype: Type of the array; None for that of the file.
        channels: Numbers per voxel; None for one.

    Returns:
        The array and its geometry: [*S] in RAS order of a volume, with the unit mm; [H, W] of a picture, in pixels.
        With `channels`, they are the last axis.

    Raises:
        DataError: SimpleITK is missing, the file cannot be read, is too large, or has other dimensions or channels.
    """
    header, array = _read(path)
    if channels is None and header["channels"] > 1:
        array = array[..., None]  # refused below, with its shape
    axes = len(header["size"])
    shape = (*header["size"], header["channels"])[: axes + (header["channels"] > 1)]
    if header["channels"] != (channels or 1) or axes not in (2, 3) or 0 in shape:
        wanted = "one channel" if channels is None else f"{channels} channels"
        raise DataError(
            f"{path}: {axes}-D with shape {tuple(shape)} instead of 2-D or 3-D with {wanted}.",
            "Split it into volumes.",
            "dimensions",
        )
    array = np.asarray(array, dtype=dtype)
    if axes == 2:
        size = array.shape[:2]
        whole = tuple((0, length) for length in size)
        return array, Geometry(None, size, whole, (1.0, 1.0), "px", path)
    array = np.swapaxes(array, 0, 2)
    if channels is not None and array.ndim == 3:
        array = array[..., None]
    return to_ras(array, _affine(header), path)


def _affine(header: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the affine from voxels to RAS millimetres."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(header["direction"]).reshape(3, 3) * np.array(header["spacing"])
    affine[:3, 3] = header["origin"]
    affine[:2] *= -1
    return affine


def _read(path: Path, pixels: bool = True) -> tuple[Mapping[str, Any], NDArray[Any]]:
    if find_spec("SimpleITK") is None:
        raise DataError(f"{path}: reading {path.suffix} files needs SimpleITK.", advise_extra("dicom"))
    most = get_limit("voxels")
    asked = {"path": str(path), "reader": _READERS[path.suffix.lower()], "pixels": pixels, "most": most}
    try:
        header, array = _processes.call(read_file, asked, get_limit("dicom_seconds"))
    except ChildError as error:
        problem = " ".join(str(error).split()).rpartition("ERROR:")[2].strip()[:160]
        raise DataError(f"{path}: truncated or unreadable ({problem}).", "Download the file again.") from error
    if pixels and array is None:
        voxels = int(header["voxels"])
        raise DataError(f"{path}: {voxels} voxels, more than {most}.", raise_limit("voxels", voxels))
    return header, np.empty(0) if array is None else array


def write_itk(path: Path, array: NDArray[Any], geometry: Geometry) -> None:
    """Write an array on the grid of an image, completely or not at all.

    Spacing, origin and direction are those of the image file where it still exists, so that both headers agree in
    every digit.

    Args:
        path: The file; the suffix chooses the format.
        array: [*N] with the axes of the image file, or [*N, K] for K numbers per voxel.
        geometry: The geometry of the image.

    Raises:
        RunError: The folder cannot be written.
        DataError: SimpleITK is missing.
    """
    if find_spec("SimpleITK") is None:
        raise DataError(f"{path}: writing {path.suffix} files needs SimpleITK.", advise_extra("dicom"))
    import SimpleITK as sitk  # noqa: N813 - the usual name of this package

    axes = len(geometry.shape)
    stored = np.swapaxes(array, 0, 2) if axes == 3 else array
    image = sitk.GetImageFromArray(np.ascontiguousarray(stored), isVector=array.ndim > axes)
    source = geometry.source
    if source is not None and source.is_file() and is_itk(source):
        header, _ = _read(source, pixels=False)
        image.SetSpacing(header["spacing"])
        image.SetOrigin(header["origin"])
        image.SetDirection(header["direction"])
    elif geometry.affine is not None:
        columns = np.array(geometry.affine)[:3] * _LPS[:, None]
        sizes = np.linalg.norm(columns[:, :3], axis=0)
        image.SetSpacing(sizes.tolist())
        image.SetOrigin(columns[:, 3].tolist())
        image.SetDirection((columns[:, :3] / sizes).ravel().tolist())

    def write(temporary: Path) -> None:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        except RuntimeError as error:
            raise OSError(errno.EIO, " ".join(str(error).split()).rpartition("ERROR:")[2].strip()) from error

    write_atomically(path, write)
