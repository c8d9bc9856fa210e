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
        `direction` (9 numbers), `origin` and `spacing` (3 each, mm, LPS), `frames` of the file, `values` per pixel and
        `size` (pixels of the slice), all by its header; and the pixels [row, column], which are None if they are not
        read or too many.

    Raises:
        RuntimeError: The file cannot be read.
    """
    import SimpleITK as sitk  # noqa: N813 - the usual name of this package

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(path)
    reader.ReadImageInformation()
    header = {"direction": reader.GetDirection(), "origin": reader.GetOrigin(), "spacing": reader.GetSpacing()}
    lengths = [*reader.GetSize(), 1]
    header |= {"frames": lengths[2], "values": reader.GetNumberOfComponents(), "size": lengths[0] * lengths[1]}
    if not pixels or header["size"] > most or header["frames"] > 1:
        return header, None
    return header, sitk.GetArrayFromImage(reader.Execute())[0]
