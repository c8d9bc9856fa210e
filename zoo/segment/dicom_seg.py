"""Writes the segmentation of a DICOM series as a DICOM SEG file, which viewers and archives show on the series.

highdicom builds the file. pydicom-seg would do so too, but its last release needs pydicom 2 and numpy 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.io.dicom import read_series
from zoo.io.image import to_file_grids
from zoo.segment.dicom_codes import find_codes, to_long_string
from zoo.types import LabelSpace, Prediction
from zoo.utils.atomic_files import write_atomically
from zoo.utils.extras import advise_extra

SOFTWARE = "textseg-zoo"
_NEEDED = (
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID", "FrameOfReferenceUID"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
)
_SHARED = ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID")
_CARRIED = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
)
"""Elements of patient and study that must be there, and may be empty. They are carried over as they are."""

_REFUSALS = (AttributeError, LookupError, NotImplementedError, OSError, RecursionError, TypeError, ValueError)
"""What pydicom and highdicom raise for a header that they cannot use."""

_LONGEST_TEXT = 1024  # characters of a value representation ST
_FIX = "Write NIfTI with --format nifti, or save the mask under a name that ends with .nii.gz."


class Algorithm(NamedTuple):
    """What made a segmentation.

    Attributes:
        name: The network.
        version: The version of this package.
        parameters: Further facts, such as the hash of the weights.
    """

    name: str
    version: str
    parameters: Mapping[str, str]


def read_headers(source: Path) -> list[Any]:
    """Read the headers of a series that a DICOM SEG file refers to, in the order of the slices of its mask.

    Args:
        source: A slice of the series.

    Returns:
        `pydicom.Dataset` of each slice, without its pixels.

    Raises:
        DataError: The extra is missing, a header is not readable, lacks what DICOM SEG needs, or is of another
            patient, study or frame of reference than the first.
    """
    if find_spec("highdicom") is None:
        raise DataError(f"{source}: writing DICOM SEG needs highdicom.", advise_extra("dicom"))
    import pydicom

    series = read_series(source)
    files = [series.files[place] for place in series.order]
    headers: list[Any] = []
    for file in files:
        try:
            with warnings.catch_warnings(action="ignore"):
                header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
                header.decode()
        except _REFUSALS as error:
            raise _refusal(file, f"its header is not readable ({_describe_error(error)})") from error
        lacking = [name for name in _NEEDED if not header.get(name)]
        if lacking:
            raise _refusal(file, f"its header lacks {', '.join(lacking)}")
        for name in _SHARED:
            if headers and header.get(name, "") != headers[0].get(name, ""):
                raise _refusal(file, f"its {name} is not that of {files[0].name}")
        headers.append(header)
    if len({header.SOPInstanceUID for header in headers}) < len(headers):
        raise _refusal(files[0], f"two slices of {source.parent} have one SOPInstanceUID")
    return headers


def write_dicom_seg(
    path: Path, prediction: Prediction, labels: LabelSpace, texts: Sequence[str], algorithm: Algorithm
) -> tuple[Path, ...]:
    """Write a segmentation as one DICOM SEG file with a binary segment per class, completely or not at all.

    Patient, study and frame of reference are those of the series. Each segment has the name of its class, its codes
    (`find_codes`) and the text that the network read. Slices without a class are left out.

    Args:
        path: The file to write.
        prediction: The mask in RAS order, whose geometry has a slice of the series as its source.
        labels: The classes.
        texts: The text of each class, or one for all; none if the network reads no text.
        algorithm: What made the mask.

    Raises:
        DataError: The image is no DICOM series, or its headers do not fit; see `read_headers`.
        RunError: The file cannot be written.
    """
    source = prediction.geometry.source
    if source is None or prediction.geometry.affine is None or not source.is_file():
        raise DataError(f"{path}: only the mask of a DICOM series is written as DICOM SEG.", "Choose another suffix.")
    headers = read_headers(source)
    grids = [grid.transpose(2, 1, 0) for grid in to_file_grids(prediction, path)]  # [slice, row, column]
    frames = grids[0] if labels.exclusive else np.stack(grids, axis=-1)
    try:
        with warnings.catch_warnings(action="ignore"):
            made = _build(headers, frames, labels, texts, algorithm)
            write_atomically(path, made.save_as)
    except _REFUSALS as error:
        raise _refusal(source, f"highdicom cannot use its header ({_describe_error(error)})") from error
    return (path,)


def _build(
    headers: Sequence[Any], frames: NDArray[np.uint8], labels: LabelSpace, texts: Sequence[str], algorithm: Algorithm
) -> Any:
    import highdicom

    made = highdicom.seg.Segmentation(
        source_images=[_stand_in(header, headers[0]) for header in headers],
        pixel_array=frames,
        segmentation_type="BINARY",  # the only type that every viewer reads
        segment_descriptions=_describe_segments(labels, texts, algorithm),
        series_instance_uid=highdicom.UID(),
        series_number=1000,  # behind the series of scanners
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=SOFTWARE,
        manufacturer_model_name=to_long_string(algorithm.name),
        software_versions=algorithm.version,
        device_serial_number=to_long_string(algorithm.parameters.get("weights", algorithm.version)),
        series_description=to_long_string(f"Segmentation: {', '.join(labels.names)}"),
        content_label="SEGMENTATION",
        content_description=to_long_string(f"By {algorithm.name}, {SOFTWARE} {algorithm.version}"),
    )
    made.SpecificCharacterSet = "ISO_IR 192"  # UTF-8: names of patients and classes in any script
    for name in _CARRIED:
        if name in headers[0]:
            made[name] = headers[0][name]
    _name_series(made, headers)
    return made


def _stand_in(header: Any, first: Any) -> Any:
    """Return a header that highdicom takes: one series, and no value that it would refuse, such as the sex "female"."""
    import pydicom

    own = ("SeriesInstanceUID", "SpecificCharacterSet", *_CARRIED)
    found = pydicom.Dataset()  # a copy would share its elements with the header
    found.update({element.tag: element for element in header if element.keyword not in own})
    for name in _CARRIED:
        setattr(found, name, "")
    found.SeriesInstanceUID = first.SeriesInstanceUID
    if "SliceThickness" not in found:
        found.SliceThickness = None
    return found


def _name_series(made: Any, headers: Sequence[Any]) -> None:
    """Refer to each slice within its own series: some archives give each slice a series of its own."""
    import pydicom

    series: dict[str, list[Any]] = {}
    for header in headers:
        slice_ = pydicom.Dataset()
        slice_.ReferencedSOPClassUID, slice_.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
        series.setdefault(header.SeriesInstanceUID, []).append(slice_)
    made.ReferencedSeriesSequence = []
    for uid, slices in series.items():
        one = pydicom.Dataset()
        one.SeriesInstanceUID, one.ReferencedInstanceSequence = uid, slices
        made.ReferencedSeriesSequence.append(one)


def _describe_segments(labels: LabelSpace, texts: Sequence[str], algorithm: Algorithm) -> list[Any]:
    import highdicom
    from pydicom.sr.codedict import codes

    identity = highdicom.AlgorithmIdentificationSequence(
        name=to_long_string(algorithm.name),
        family=codes.DCM.ArtificialIntelligence,
        version=to_long_string(algorithm.version),
        source=SOFTWARE,
        parameters=dict(algorithm.parameters),
    )
    found = []
    for number, name in enumerate(labels.names, 1):
        own = find_codes(name)
        segment = highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=to_long_string(name),
            segmented_property_category=own.category,
            segmented_property_type=own.kind,
            algorithm_type="AUTOMATIC",
            algorithm_identification=identity,
            anatomic_regions=None if own.organ is None else [own.organ],
        )
        if own.side is not None:
            kind = segment.SegmentedPropertyTypeCodeSequence[0]
            kind.SegmentedPropertyTypeModifierCodeSequence = [highdicom.sr.CodedConcept.from_code(own.side)]
        if texts:
            segment.SegmentDescription = texts[min(number, len(texts)) - 1][:_LONGEST_TEXT]
        found.append(segment)
    return found


def _refusal(file: Path, problem: str) -> DataError:
    return DataError(f"{file}: no DICOM SEG for this series: {problem}.", _FIX)


def _describe_error(error: BaseException) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
