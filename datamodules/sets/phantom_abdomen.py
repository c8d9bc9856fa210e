"""`phantom_abdomen`: small CT-like volumes with seven organs of different sizes, some of them absent."""

from __future__ import annotations

from typing import Any

from datamodules.bases.memory import check_fits
from datamodules.bases.phantom import SET_SEED, PhantomDataModule, split_and_number, uncropped_geometry
from datamodules.phantoms.abdomen import draw_abdomen, voxel_spacing
from zoo.errors import ConfigError
from zoo.preprocessing.apply import PreparedCase, preprocess
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case


class PhantomAbdomen(PhantomDataModule):
    """Generated volumes of 96 x 96 x 120 mm in RAS order, with labels 1 to 7 in the order of the card.

    Args:
        shape: Voxels of a volume; [96, 96, 48] has a spacing of 1.0 x 1.0 x 2.5 mm.
        counts: Numbers of subjects in train, val and test.
        **kwargs: See `SegDataModule`.

    Example:
        >>> len(PhantomAbdomen(counts=[4, 2, 2], patch=[32, 32, 32]).cases)
        8
    """

    name = "phantom_abdomen"

    def __init__(
        self,
        shape: list[int] = [96, 96, 48],  # noqa: B006  (it is never changed, and the command line needs the type)
        counts: list[int] = [24, 4, 8],  # noqa: B006
        **kwargs: Any,
    ) -> None:
        super().__init__(counts=counts, **kwargs)
        if len(shape) != 3 or min(shape) < 8:
            raise ConfigError(f"--data.shape {list(shape)} is unusable.", "Give three numbers of 8 or more.")
        check_fits(shape, "--data.shape")
        self.shape = (shape[0], shape[1], shape[2])

    def preprocessing(self) -> PreprocessingSpec:
        """Intensities from fat to bright vessels become 0 to 1; the grid is the native grid."""
        return PreprocessingSpec(window=(-160.0, 300.0))

    def load(self, case: Case) -> PreparedCase:
        """Generate a case."""
        drawn = draw_abdomen(SET_SEED, *split_and_number(case), self.shape)
        geometry = uncropped_geometry(self.shape, voxel_spacing(self.shape), "mm", drawn.affine.tolist())
        return preprocess(drawn.image[None], drawn.label, geometry, self.preprocessing())
