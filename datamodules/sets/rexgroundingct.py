"""ReXGroundingCT: findings of chest CT reports, each with a sentence and a mask of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.bases.volume import VolumeDataModule
from datamodules.files.find_files import path_exists
from datamodules.files.nifti_layout import SUFFIXES, find_volume
from datamodules.files.rex_listing import RexListing, subject_of
from datamodules.index.case_names import nifti_stem
from datamodules.index.splits import Split, hold_out_val
from datamodules.loading.last_used import LastUsed
from zoo.errors import DataError
from zoo.io.axes import to_ras
from zoo.io.channel_masks import ChannelMasks, read_channel_masks
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import UNKNOWN, Case, Geometry, InstanceFacts

EXAMPLES = 3
"""Most entities of a finding that a training label shows. A label with fewer shows all of them."""

_FOCAL = {"1": False, "2": True}
"""First sign of a category to whether its findings are focal, as the challenge groups them."""

_WINDOW = (-1000.0, 1000.0)  # also cuts the padding of -8192 and single voxels above 16,000


class RexGroundingCT(VolumeDataModule):
    """One volume per entry of the listing, one query per finding.

    `root` holds the listings and `segmentations/<name>`. The CTs are those of CT-RATE's `train_fixed` and
    `valid_fixed`, which are got separately: `<name>` in the layout of CT-RATE or in one folder, in `root` or in `ct`.

    A mask file has the findings on its first axis, and its affine says nothing: voxels are paired with those of the
    CT as the file stores them. A listing is checked against the masks: number of findings, shape, voxels per finding.
    A training label shows at most 3 entities of a finding; if it shows 3, its other voxels are unknown.

    Protocols: `miccai26` reports the 200 val cases of the challenge, `base50` the 50 of the base release, `added150`
    the 150 others. The val split is cut from the train cases, by subject; subjects of the reported cases are left out
    of it and of train. The masks of the test cases are not published.

    Args:
        ct: Folder of the CTs; default `root`.
        **kwargs: See `VolumeDataModule`.
    """

    name = "rexgroundingct"
    listed = True

    def __init__(self, ct: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ct = ct
        self._masks: LastUsed[ChannelMasks] = LastUsed()

    def preprocessing(self) -> PreprocessingSpec:
        """Window and spacing."""
        return PreprocessingSpec(window=_WINDOW, spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """One case per finding of the training entries and of the reported entries."""
        cases = []
        for entry in [*self._listing.train, *self._listing.reported]:
            stem = nifti_stem(Path(entry["name"]))
            image, label = self._find_ct(stem), find_volume(self.folder / "segmentations", stem)
            subject = subject_of(stem)
            findings = sorted(entry["findings"].items(), key=lambda one: int(one[0]))
            cases += [Case(stem, (image,), label, subject, str(text).strip(), key) for key, text in findings]
        return cases

    def split_cases(self, cases: list[Case]) -> Split:
        """The reported cases of the protocol, and the train cases of other subjects, of which a tenth is val."""
        reported = {nifti_stem(Path(entry["name"])) for entry in self._listing.reported}
        return hold_out_val(self.protocol, cases, reported)

    def load_label(self, case: Case, geometry: Geometry) -> NDArray[np.uint8] | None:
        """Read the mask of a finding; the voxels that a label of examples does not show are unknown.

        Raises:
            DataError: The masks do not fit the listing or the CT.
        """
        if case.label is None or geometry.affine is None:
            return None
        path, entry = case.label, self._entries[case.case_id]
        if tuple(entry["shape"]) != geometry.shape:
            problem = f"{case.images[0]}: shape {geometry.shape}, but the listing says {tuple(entry['shape'])}."
            raise DataError(problem, "Get the CT of CT-RATE's `fixed` folders, unchanged.", "shape_mismatch")
        masks, index = self._find_mask(case, path, geometry)
        mask = masks.mask(index)
        listed, found = entry.get("pixels", {}).get(case.query), int(mask.sum())
        if listed is not None and int(listed) != found:
            problem = f"{path}: finding {case.query} has {found} voxels, but the listing says {listed}."
            raise DataError(problem, "Get the listing and the masks of one release.", "label_values")
        ras, _ = to_ras(mask, np.asarray(geometry.affine), case.images[0])
        if self._is_partial(case):
            ras = np.where(ras == 1, np.uint8(1), np.uint8(UNKNOWN))
        return ras[None]

    def describe_instances(self, case: Case, geometry: Geometry) -> InstanceFacts:
        """The entities of a finding, which the mask numbers, and whether its category is a focal one: 2a to 2h."""
        if case.label is None or geometry.affine is None:
            return InstanceFacts()
        masks, index = self._find_mask(case, case.label, geometry)
        numbers, _ = to_ras(masks.values(index), np.asarray(geometry.affine), case.images[0])
        category = str(self._entries[case.case_id].get("categories", {}).get(case.query, ""))
        return InstanceFacts(numbers, _FOCAL.get(category[:1]))

    def _find_mask(self, case: Case, path: Path, geometry: Geometry) -> tuple[ChannelMasks, int]:
        """The masks of the file of a case, and the number of its finding among them."""
        findings = self._entries[case.case_id]["findings"]
        masks = self._masks.get(path, lambda: read_channel_masks(path, len(findings), geometry.shape))
        return masks, sorted(findings, key=int).index(case.query)

    def _is_partial(self, case: Case) -> bool:
        """Whether the label of a query may lack entities: a training label with the most entities that one shows."""
        shown = int(self._entries[case.case_id].get("entity_counts", {}).get(case.query, 0))
        return case.case_id in self._trained and shown >= EXAMPLES

    def _find_ct(self, stem: str) -> Path:
        """The CT of an entry: in CT-RATE's layout, or in one folder."""
        parts = stem.split("_")
        part = {"train": "train_fixed", "valid": "valid_fixed"}.get(parts[0], parts[0])
        inner = f"{part}/{'_'.join(parts[:2])}/{'_'.join(parts[:3])}"
        root = self._ct_folder
        places = (f"{root}/dataset/{inner}", f"{root}/{inner}", root, f"{root}/ct")  # text, for many thousand volumes
        names = (Path(f"{place}/{stem}{end}") for place in places for end in SUFFIXES)
        return next((path for path in names if path_exists(path)), None) or find_volume(Path(places[0]), stem)

    @cached_property
    def _ct_folder(self) -> str:
        """The folder in which the CTs are looked for."""
        return str(self.folder if self.ct is None else Path(self.ct).expanduser())

    @cached_property
    def _listing(self) -> RexListing:
        return RexListing(lambda name: self.folder / name, self.protocol)

    @cached_property
    def _entries(self) -> dict[str, Mapping[str, Any]]:
        return {nifti_stem(Path(entry["name"])): entry for entry in [*self._listing.train, *self._listing.reported]}

    @cached_property
    def _trained(self) -> frozenset[str]:
        return frozenset(nifti_stem(Path(entry["name"])) for entry in self._listing.train)
