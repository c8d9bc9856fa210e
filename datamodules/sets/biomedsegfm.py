"""CVPR-BiomedSegFM: public data sets of five modalities, with texts for the values of their labels."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.bases.volume import VolumeDataModule
from datamodules.files.class_lists import ClassList, parse_texts, read_class_list
from datamodules.files.npz_names import file_stem, list_npz, subject_of
from datamodules.files.npz_volumes import SPACING_ORDERS, NpzReader, read_texts, read_values
from datamodules.index.splits import Split, hold_out_val
from datamodules.loading.last_used import LastUsed
from zoo.errors import DataError, UnknownNameError
from zoo.io.readers import Reader
from zoo.preprocessing.apply import PreparedCase
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, Geometry, InstanceFacts

FOLDERS = {"coreset": "3D_train_npz_random_10percent_16G", "all": "3D_train_npz_all"}
"""The training images of each protocol."""

VAL, VAL_LABELS = "3D_val_npz", "3D_val_gt/3D_val_gt_text"
CLASSES = "CVPR25_TextSegFMData_with_class.json"

INSTANCES = "instances"
"""The query of a data set whose labels count objects: all of them."""

SHRINKS = 8
"""Most voxels of an axis that may become one. More means that `spacing` has another unit."""

_MICROSCOPY = "Microscopy"
_BRIGHT = (0.0, 255.0)
log = logging.getLogger(__name__)


class _Volume(NamedTuple):
    """A file of the training or of val.

    Attributes:
        image: The image file.
        label: The label file, which is the image file in the training.
        case_id: Name of the case.
        group: The modality of a training file; empty for val.
    """

    image: Path
    label: Path
    case_id: str
    group: str = ""


class BiomedSegFM(VolumeDataModule):
    """One volume per npz file, one query per class of its data set.

    The class list of the release names the classes: per data set, each label value has a name and paraphrases. Versions
    of the list disagree, so the zoo has no name of its own, and results have the SHA-256 of the list as `data_hash`.
    Training draws among all texts of a class. A val file has a sentence per value: the text of the reported queries.

    A training file with a value that the list does not have is refused. Where labels count objects (`instance_label`
    1), values are no classes. These data sets are left out, or with `instances` have one query for all objects.

    Protocols: `coreset` trains on the tenth of the release, `all` on everything; both report the official val cases,
    whose subjects are left out of the training. The val split is a tenth of the training subjects of each modality.

    The files have no affine. So left and right are not known, images are never mirrored, and predictions have an affine
    with the spacing alone. `spacing` is read as x, y, z of arrays [z, y, x], which the release does not say.

    Args:
        classes: The class list; default `CVPR25_TextSegFMData_with_class.json` in the folder.
        instances: Whether data sets whose labels count objects take part.
        spacing_order: "xyz", or "zyx" if `spacing` of the files begins with the slices.
        **kwargs: See `VolumeDataModule`.
    """

    name = "biomedsegfm"

    def __init__(
        self, classes: str | None = None, instances: bool = False, spacing_order: str = "xyz", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if spacing_order not in SPACING_ORDERS:
            raise UnknownNameError("--data.spacing_order", spacing_order, SPACING_ORDERS, f"zoo show {self.name}")
        self.classes, self.instances, self.spacing_order = classes, instances, spacing_order
        self._values: LastUsed[NDArray[Any]] = LastUsed()

    @cached_property
    def reader(self) -> Reader:
        """The reader of the npz files."""
        return NpzReader(self.dropped_values, self.spacing_order, self.class_list.sha256)

    @cached_property
    def class_list(self) -> ClassList:
        """The classes of all data sets."""
        return read_class_list(Path(self.classes).expanduser() if self.classes else self.folder / CLASSES)

    @property
    def data_hash(self) -> str:
        """SHA-256 of the class list, which decides what a label value means."""
        return self.class_list.sha256

    def preprocessing(self) -> PreprocessingSpec:
        """The full range of the files, and the voxel size."""
        return PreprocessingSpec(window=_BRIGHT, spacing=self.spacing)

    def preprocessing_of(self, case: Case) -> PreprocessingSpec:
        """Microscopy keeps its voxels, which have no size in millimetres that would fit the others."""
        return PreprocessingSpec(window=_BRIGHT) if _is_microscopy(case) else self.preprocessing()

    def preprocessing_by_kind(self) -> dict[str, PreprocessingSpec]:
        """That of scans, and that of microscopy if data sets of objects take part: microscopy has no others."""
        if not self.instances:
            return super().preprocessing_by_kind()
        return {"scan": self.preprocessing(), "microscopy": PreprocessingSpec(window=_BRIGHT)}

    def list_cases(self) -> list[Case]:
        """One case per class of each training file, and per text of each val file."""
        reported = [case for one in self._val_files for case in self._val_cases(one)]
        known = {subject_of(one.image) for one in self._val_files}
        training = [one for one in self._training_files if subject_of(one.image) not in known]
        left = len(self._training_files) - len(training)
        if left:
            log.info("%s: %d training files show a subject of the official val and are left out", self.name, left)
        return [*(case for one in training for case in self._training_cases(one)), *reported]

    def split_cases(self, cases: list[Case]) -> Split:
        """The official val cases are reported; val is a tenth of the training subjects of each modality."""
        reported = {one.case_id for one in self._val_files}
        groups = {one.case_id: one.group for one in self._training_files}
        return hold_out_val(self.protocol, cases, reported, group=lambda case: groups[case.case_id])

    def load_image(self, case: Case) -> PreparedCase:
        """See `SegDataModule.load_image`.

        Raises:
            DataError: Also if the voxel size of the file has plainly another unit than millimetres.
        """
        prepared = super().load_image(case)
        native, grid = prepared.geometry.shape, prepared.image.shape[1:]
        if any(size > SHRINKS * new for size, new in zip(native, grid, strict=True)):
            steps = ", ".join(f"{step:g}" for step in prepared.geometry.spacing)
            problem = f"{case.images[0]}: spacing {steps} would turn {native} voxels into {grid}."
            raise DataError(problem, "Give --data.spacing null, which keeps the voxels.", "affine_unusable")
        return prepared

    def load_label(self, case: Case, geometry: Geometry) -> NDArray[np.uint8] | None:
        """The voxels of the value of a query, or those of all objects.

        Raises:
            DataError: The label has another shape than the image, or a training label has a value without a class.
        """
        if case.label is None:
            return None
        path = case.label
        values = self._values.get(path, lambda: self._read_values(case, path))
        if values.shape != geometry.shape:
            problem = (
                f"{path}: gts has the shape {values.shape[::-1]}, but imgs {geometry.shape[::-1]} in {case.images[0]}."
            )
            raise DataError(problem, "Get image and label of one release.", "shape_mismatch")
        mask = values > 0 if case.query == INSTANCES else values == int(case.query)
        return mask.astype(np.uint8)[None]

    def describe_instances(self, case: Case, geometry: Geometry) -> InstanceFacts:
        """The objects that a label counts; other labels show a structure."""
        if case.query != INSTANCES or case.label is None:
            return InstanceFacts(objects=False)
        path = case.label
        return InstanceFacts(self._values.get(path, lambda: self._read_values(case, path)), objects=True)

    def _read_values(self, case: Case, path: Path) -> NDArray[Any]:
        """Read a label, and compare the values of a training label with the class list."""
        values = read_values(path)
        if path in case.images and case.query != INSTANCES:
            name = path.parent.name
            known = self.class_list.find(name, path).texts
            unknown = [
                value for value in np.flatnonzero(np.bincount(values.ravel())).tolist() if value not in {0, *known}
            ]
            if unknown:
                problem = f"{path}: gts has the values {unknown[:8]}, which `{name}` in {self.class_list.path} lacks."
                fix = "Give the class list of the release that the images are of with --data.classes."
                raise DataError(problem, fix, "label_values")
        return values

    def _training_cases(self, one: _Volume) -> list[Case]:
        """One case per class of the data set of a training file."""
        found = self.class_list.find(one.image.parent.name, one.image)
        return self._cases_of(one, found.texts, found.instances)

    def _val_cases(self, one: _Volume) -> list[Case]:
        """One case per text of a val file."""
        place, fix = f"{one.image}: text_prompts", "Get the file of the release."
        given, instances = parse_texts(place, read_texts(one.image), fix)
        for value, text in given.items():
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"{place} has no text for the value {value}.", fix, "caption_empty")
        texts = {value: text.strip() for value, text in given.items()}
        others = {value: (text, *self.class_list.other_texts(value, text)) for value, text in texts.items()}
        return self._cases_of(one, others, instances)

    def _cases_of(self, one: _Volume, texts: Mapping[int, tuple[str, ...]], instances: bool) -> list[Case]:
        """One case per value; one or none where values count objects."""
        queries = {str(value): own for value, own in texts.items()}
        if instances:
            if self.instances and len(texts) > 1:
                problem = (
                    f"{one.image}: its label counts objects of {len(texts)} classes, which it does not tell apart."
                )
                raise DataError(problem, "Leave out --data.instances, or remove the file.", "label_values")
            queries = {INSTANCES: next(iter(texts.values()))} if self.instances else {}
        subject = subject_of(one.image)
        return [
            Case(one.case_id, (one.image,), one.label, subject, own[0], query, own[1:])
            for query, own in queries.items()
        ]

    @cached_property
    def _training_files(self) -> list[_Volume]:
        """The training files of the protocol, by modality, data set and name."""
        top = self.folder / FOLDERS[self.protocol]
        files = list_npz(top, "*/*/*.npz")
        if not files:
            raise DataError(
                f"{top}: no <modality>/<data set>/<name>.npz in it.", "See `zoo show biomedsegfm`.", "missing_file"
            )
        return [_Volume(path, path, f"{path.parent.name}-{file_stem(path)}", path.parent.parent.name) for path in files]

    @cached_property
    def _val_files(self) -> list[_Volume]:
        """The official val files, each with its label."""
        images = list_npz(self.folder / VAL, "*.npz")
        if not images:
            raise DataError(f"{self.folder / VAL}: no npz file in it.", "See `zoo show biomedsegfm`.", "missing_file")
        folder = self.folder / VAL_LABELS
        labels = {file_stem(path): path for path in list_npz(folder, "*.npz")}
        return [_Volume(path, labels.get(file_stem(path), folder / path.name), file_stem(path)) for path in images]


def _is_microscopy(case: Case) -> bool:
    path = case.images[0]
    return path.parent.parent.name == _MICROSCOPY or path.name.startswith(_MICROSCOPY)
