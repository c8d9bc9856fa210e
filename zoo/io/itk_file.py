"""Reads one NRRD or MetaImage file with SimpleITK, in a child process of `zoo.io.itk`: a crafted file may crash it."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def read_file(path: str, reader: str, pixels: bool, most: int) -> tuple[dict[str, Any], NDArray[Any] | None]:
    """Read the header of a file and, with `pixels`, its voxels.

    Args:
        path: The file.
        reader: Name of the reader of ITK, so that the suffix alone decides the format.
        pixels: Whether the voxels are read.
        most: The most voxels of a file, over all channels.

    Returns:
        `size`, `spacing`, `origin` and `direction` as ITK has them (x first, LPS), `channels` and `voxels`, by the
        header; and the voxels [z, y, x] or [z, y, x, channels], which are None if they are not read or too many.

    Raises:
        RuntimeError: The file cannot be read.
    """
    import SimpleITK as sitk  # noqa: N813 - the usual name of this package

    file = sitk.ImageFileReader()
    file.SetImageIO(reader)
    file.SetFileName(path)
    file.ReadImageInformation()
    header = {
        "size": file.GetSize(),
        "spacing": file.GetSpacing(),
        "origin": file.GetOrigin(),
        "direction": file.GetDirection(),
        "channels": file.GetNumberOfComponents(),
    }
    voxels = file.GetNumberOfComponents()
    for length in file.GetSize():
        voxels *= length
    if not pixels or voxels > most:
        return {**header, "voxels": voxels}, None
    return {**header, "voxels": voxels}, sitk.GetArrayFromImage(file.Execute())
