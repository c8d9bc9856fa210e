"""Reads one DICOM file with SimpleITK. `zoo.io.dicom` calls it in a child process: a crafted file crashes GDCM."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def read_slice(path: str, pixels: bool, most: int) -> tuple[dict[str, Any], NDArray[Any] | None]:
    """Read the header of a slice and, with `pixels`, its pixels.

    Args:
        path: The file.
        pixels: Whether the pixels are read.
        most: The most pixels of a slice.

    Returns:
        `direction` (9 numbers), `origin` and `spacing` (3 each, mm, LPS) and `size` (pixels of the slice, by its
        header); and the pixels [row, column], which are None if they are not read or too many.

    Raises:
        RuntimeError: The file cannot be read.
    """
    import SimpleITK as sitk  # noqa: N813 - the usual name of this package

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(path)
    reader.ReadImageInformation()
    header = {"direction": reader.GetDirection(), "origin": reader.GetOrigin(), "spacing": reader.GetSpacing()}
    size = 1
    for length in reader.GetSize():
        size *= length
    if not pixels or size > most:
        return {**header, "size": size}, None
    return {**header, "size": size}, sitk.GetArrayFromImage(reader.Execute())[0]
