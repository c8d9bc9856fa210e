"""Finds the label image of each case in the output folder of another program.

A file is found by the id of its case, or by the name of the case's image or label. The forms of nnU-Net
(`CASE.nii.gz`), of MONAI (`CASE/CASE_seg.nii.gz`, `CASE_trans.nii.gz`), of `zoo predict` (`CASE-1.png`, one file per
region) and one file per class (`CASE/CLASS.nii.gz`) are read as they are. Files beside them, such as `dataset.json` and
`summary.json`, are no label images.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from datamodules.index.case_names import normalise_name
from zoo.errors import RunError
from zoo.io.pictures import SUFFIXES
from zoo.types import Case, CaseKey, LabelSpace
from zoo.utils.format import list_some
from zoo.utils.safe_text import to_file_name

LABEL_SUFFIXES = (".nii.gz", ".nii", *SUFFIXES)
"""Suffixes of the files that are read."""

_OTHER_IMAGES = (".mha", ".mhd", ".nrrd", ".seg.nrrd", ".mgz", ".mgh", ".hdr", ".npy", ".dcm")
"""Suffixes of images that are not read; a message names such a file if its case has no other."""

_ENDINGS = re.compile(
    r"[_-](seg|trans|pred|preds|prediction|predictions|mask|label|labels|segmentation)$", re.IGNORECASE
)
"""What programs append to the name of an image. MONAI appends `_trans`, or the `output_postfix` that a user chooses."""

_CHANNEL = re.compile(r"_0000$")
_REGION = re.compile(r"-(\d+)$")

WHOLE = 0
"""Number of a file that holds all classes; the files of single classes have numbers from 1."""


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files of a folder by case.

    Attributes:
        of_case: Case to its files: number of the class (`WHOLE`, or from 1) to the file.
        extra: Label images of no case, in the order of their paths.
        unreadable: Case without a label image to its file in a format that is not read.
    """

    of_case: Mapping[CaseKey, Mapping[int, Path]]
    extra: Sequence[Path] = ()
    unreadable: Mapping[CaseKey, Path] = field(default_factory=dict)

    def files(self, case: Case) -> list[Path]:
        """Return the files of a case, in the order of their numbers."""
        return [path for _, path in sorted(self.of_case.get(case.key, {}).items())]


class CaseFinder:
    """Finds the case that a file belongs to.

    Args:
        cases: All cases of the data set, also those of other splits: a name that two cases share finds neither.
        labels: The classes.
    """

    def __init__(self, cases: Iterable[Case], labels: LabelSpace) -> None:
        cases = list(cases)
        self._classes = {plain_name(name): number for number, name in enumerate(labels.names, start=1)}
        self._regions = 0 if labels.exclusive or len(labels.names) == 1 else len(labels.names)
        self._by_id = {name: case.key for case in cases for name in _own_names(case)}
        others = [(name, case.key) for case in cases for name in _names_of_files(case)]
        counts = Counter(name for name, _ in others)
        self._by_file = {name: key for name, key in others if counts[name] == 1}

    def by_name(self, stem: str) -> CaseKey | None:
        """Return the case of a name without its suffix; None if no case has it."""
        name = normalise_name(stem)
        bare = _ENDINGS.sub("", name)
        tables = (self._by_id, self._by_file)
        return next((table[one] for one in (name, bare) for table in tables if one in table), None)

    def by_path(self, path: Path, folder: Path, alone: bool) -> tuple[CaseKey, int] | None:
        """Return the case of a file and the number of its class.

        Args:
            path: The file.
            folder: The folder that is searched.
            alone: Whether the file is the only label image of its folder.
        """
        stem = stem_of(path)
        found = self.by_name(stem)
        if found is not None:
            return found, WHOLE
        region = _REGION.search(stem)
        if region and self._regions and 1 <= int(region[1]) <= self._regions:
            found = self.by_name(stem[: region.start()])
            if found is not None:
                return found, int(region[1])
        found = None if path.parent == folder else self.by_name(path.parent.name)
        if found is None:
            return None
        number = self._classes.get(plain_name(stem))
        return (found, number) if number else ((found, WHOLE) if alone else None)


def find_files(folder: Path, cases: Iterable[Case], wanted: Collection[CaseKey], labels: LabelSpace) -> FoundFiles:
    """Find the files of the wanted cases in a folder and in the folders in it.

    Args:
        folder: The output folder of a program.
        cases: All cases of the data set.
        wanted: The cases to score.
        labels: The classes.

    Raises:
        RunError: There is no such folder, or a case has two files.
    """
    if not folder.is_dir():
        problem = "not a folder" if folder.exists() else "no such folder"
        raise RunError(f"{folder}: {problem}.", "Give the folder with the label images of your program.")
    finder = CaseFinder(cases, labels)
    found: dict[CaseKey, dict[int, Path]] = {}
    twice: dict[CaseKey, list[Path]] = {}
    extra, unreadable = [], {}
    paths = list(_list_files(folder))
    in_folder = Counter(path.parent for path in paths if is_label_image(path))
    for path in paths:
        place = finder.by_path(path, folder, in_folder[path.parent] == 1)
        if not is_label_image(path):
            if place and path.name.lower().endswith(_OTHER_IMAGES):
                unreadable[place[0]] = path
        elif place is None or place[0] not in wanted:
            extra.append(path)
        else:
            files = found.setdefault(place[0], {})
            if place[1] in files or (files and WHOLE in {place[1], *files}):
                twice.setdefault(place[0], [*files.values()]).append(path)
            files.setdefault(place[1], path)
    if twice:
        named = [f"{key} ({', '.join(str(path.relative_to(folder)) for path in some)})" for key, some in twice.items()]
        raise RunError(f"{folder}: cases with two files: {list_some(named)}.", "Keep one file per case.")
    return FoundFiles(found, extra, {key: path for key, path in unreadable.items() if key not in found})


def is_label_image(path: Path) -> bool:
    """Return whether a file has the suffix of a label image."""
    return path.name.lower().endswith(LABEL_SUFFIXES)


def stem_of(path: Path) -> str:
    """Return the name of a file without its suffix, which may be `.nii.gz`."""
    suffix = next((one for one in (*LABEL_SUFFIXES, *_OTHER_IMAGES) if path.name.lower().endswith(one)), path.suffix)
    return path.name.removesuffix(path.name[len(path.name) - len(suffix) :]) if suffix else path.name


def _list_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of the folders in it, sorted, without hidden ones."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from (one for one in sorted(path.iterdir()) if one.is_file() and not one.name.startswith("."))


def _own_names(case: Case) -> set[str]:
    name = str(case.key)
    return {normalise_name(one) for one in (name, to_file_name(name))}


def _names_of_files(case: Case) -> set[str]:
    files = (*case.images[:1], *([case.label] if case.label else []))
    stems = {normalise_name(stem_of(path)) for path in files}
    return stems | {_CHANNEL.sub("", stem) for stem in stems}


def plain_name(name: str) -> str:
    """Return the letters and digits of a name, in lower case: `Left_Kidney` and `left kidney` are one class."""
    return re.sub(r"[\W_]+", "", name.casefold())
