"""Writes small CT series as scanners give them out: one file per slice, with patient, study and frame of reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

TURN = 0.3
"""Angle in radians by which the slices are turned around the x axis."""


def write_series(
    folder: Path, volume: NDArray[np.int16], turn: float = TURN, suffix: str = ".dcm", **elements: Any
) -> list[pydicom.Dataset]:
    """Write a series.

    Args:
        folder: Its folder.
        volume: [slice, row, column].
        turn: Angle by which the slices are turned around the x axis.
        suffix: Suffix of the files. The names run against the positions.
        elements: Further elements of every header; None removes an element.

    Returns:
        The headers in the order of the positions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uids = {name: generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    row, column = np.array([1.0, 0, 0]), np.array([0, np.cos(turn), np.sin(turn)])
    normal = np.cross(row, column)
    headers = []
    for place, pixels in enumerate(volume):
        header = pydicom.Dataset()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.SpecificCharacterSet = "ISO_IR 100"
        header.SOPClassUID, header.SOPInstanceUID, header.Modality = CTImageStorage, generate_uid(), "CT"
        header.PatientName, header.PatientID, header.PatientSex = "Müller^Jörg", "P-17", "M"
        header.PatientBirthDate, header.PatientAge = "19580304", "068Y"
        header.StudyDate, header.StudyTime, header.StudyID = "20260102", "101500", "S-3"
        header.AccessionNumber, header.ReferringPhysicianName = "A-9", "Roe^Jane"
        header.SeriesNumber, header.InstanceNumber = 4, place + 1
        header.update(uids)
        header.ImagePositionPatient = [round(float(x), 6) for x in (-20, 15, 7) + 2.5 * place * normal]
        header.ImageOrientationPatient = [round(float(x), 9) for x in (*row, *column)]
        header.PixelSpacing, header.SliceThickness = [1.5, 1.2], 2.5
        header.Rows, header.Columns = pixels.shape
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
        header.RescaleIntercept, header.RescaleSlope = -1024, 1
        header.PixelData = (pixels + 1024).astype("<i2").tobytes()
        for name, value in elements.items():
            if value is None:
                delattr(header, name)
            else:
                setattr(header, name, value(place) if callable(value) else value)
        header.save_as(folder / f"IM{len(volume) - place:04d}{suffix}", enforce_file_format=True)
        headers.append(header)
    return headers
