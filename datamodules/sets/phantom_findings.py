"""`phantom_findings`: chest volumes with several findings; each finding has a sentence and a mask of its own."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.bases.memory import check_fits
from datamodules.bases.phantom import SET_SEED, PhantomDataModule, split_and_number, uncropped_geometry
from datamodules.phantoms.findings import EXTENT, FindingsCase, draw_findings, list_findings
from zoo.errors import ConfigError
from zoo.preprocessing.apply import PreparedCase, preprocess
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import UNKNOWN, Case, Geometry, InstanceFacts

_draw = lru_cache(maxsize=1)(draw_findings)  # the queries of a volume follow each other


class PhantomFindings(PhantomDataModule):
    """Generated volumes of 96 mm edge length with two to five findings. Each finding is a query.

    Some queries name a finding that the volume does not have; their mask is empty. In the training split, some
    findings with two nodules have a label of one; the other voxels of such a label are unknown.

    Args:
        shape: Voxels of a volume.
        counts: Numbers of volumes in train, val and test.
        **kwargs: See `SegDataModule`.

    Example:
        >>> data = PhantomFindings(counts=[4, 2, 2], patch=[48, 48, 32])
        >>> [case.report for case in data.index.cases_of("train")][0]
        'A small nodule in the right upper zone.'
    """

    name = "phantom_findings"

    def __init__(
        self,
        shape: list[int] = [48, 48, 32],  # noqa: B006  (it is never changed, and the command line needs the type)
        counts: list[int] = [160, 8, 24],  # noqa: B006
        **kwargs: Any,
    ) -> None:
        super().__init__(counts=counts, **kwargs)
        if len(shape) != 3 or min(shape) < 16:
            raise ConfigError(f"--data.shape {list(shape)} is unusable.", "Give three numbers of 16 or more.")
        check_fits(shape, "--data.shape")
        self.shape = (shape[0], shape[1], shape[2])

    def preprocessing(self) -> PreprocessingSpec:
        """Normalised; the grid is the native grid."""
        return PreprocessingSpec()

    def load_image(self, case: Case) -> PreparedCase:
        """Generate the volume of a case."""
        spacing = tuple(EXTENT / size for size in self.shape)
        affine = np.diag([*spacing, 1.0]).tolist()
        geometry = uncropped_geometry(self.shape, spacing, "mm", affine)
        return preprocess(self.draw(case).image[None], None, geometry, self.preprocessing())

    def load_label(self, case: Case, geometry: Geometry) -> NDArray[np.uint8]:
        """Generate the mask of a query; the voxels that a partial label does not show are unknown."""
        drawn, index = self.draw(case), int(case.query)
        background = UNKNOWN if drawn.findings[index].partial else 0
        return np.where(drawn.labelled(index), np.uint8(1), np.uint8(background))[None]

    def describe_instances(self, case: Case, geometry: Geometry) -> InstanceFacts:
        """Nodules are focal."""
        return InstanceFacts(focal=True)

    def draw(self, case: Case) -> FindingsCase:
        """The volume of a case with all its findings, also those that are not labelled."""
        return _draw(SET_SEED, *split_and_number(case), self.shape)

    def subject_cases(self, split: str, number: int) -> list[Case]:
        """One case per finding of a volume."""
        name = f"{split}-{number:04d}"
        findings = list_findings(SET_SEED, split, number)
        return [Case(name, (), None, name, one.sentence, str(query)) for query, one in enumerate(findings)]
