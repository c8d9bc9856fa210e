"""`phantom_chest`: chest-like images with similar lesions; a report says which lesions to segment."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from datamodules.bases.memory import check_fits
from datamodules.bases.phantom import SET_SEED, PhantomDataModule, split_and_number, uncropped_geometry
from datamodules.phantoms.chest import ChestCase, complement_report, draw_chest, draw_report, text_free_bound
from zoo.errors import ConfigError
from zoo.preprocessing.apply import PreparedCase, preprocess
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

_COMPLEMENT = "-other"
_draw = lru_cache(maxsize=1)(draw_chest)  # each image is needed twice, one time after the other


class PhantomChest(PhantomDataModule):
    """Generated images with 2 to 4 lesions, of which the report names some but not all.

    Every image gives two cases: one with the drawn report, one with the complementary report. With one case per image,
    a model without text could learn by heart which lesions the reports of the training name. A U-Net with 0.2 M
    parameters did so within 20 epochs, and fell to 0.7 of the text-free bound on new images. In evaluation, the score
    of a model without text hardly depends on the drawn reports.

    Args:
        pixels: Height and width of an image; the network gets it resized to `patch`.
        counts: Numbers of images in train, val and test; there are twice as many cases.
        **kwargs: See `SegDataModule`.

    Example:
        >>> PhantomChest(counts=[4, 2, 2]).index.case("train-0000").report
        'Target lesions in the left lower zone and the right lower zone.'
    """

    name = "phantom_chest"

    def __init__(self, pixels: int = 128, counts: list[int] = [640, 24, 48], **kwargs: Any) -> None:  # noqa: B006
        super().__init__(counts=counts, **kwargs)
        if pixels < 16:
            raise ConfigError(f"--data.pixels {pixels} is too small for six zones.", "Give 16 or more.")
        check_fits((pixels, pixels), "--data.pixels")
        self.pixels = pixels

    def preprocessing(self) -> PreprocessingSpec:
        """Resized to the patch."""
        return PreprocessingSpec(size=self.patch)

    def load(self, case: Case) -> PreparedCase:
        """Generate a case."""
        drawn = self.draw(case)
        geometry = uncropped_geometry(drawn.image.shape, (1.0, 1.0), "px")
        return preprocess(drawn.image[None], drawn.label[None], geometry, self.preprocessing())

    def draw(self, case: Case) -> ChestCase:
        """A case with all its lesions, also those that the report does not name."""
        split, number = split_and_number(case)
        drawn = _draw(SET_SEED, split, number, self.pixels)
        return complement_report(drawn) if case.case_id.endswith(_COMPLEMENT) else drawn

    def controls(self) -> dict[str, float]:
        """The largest expected Dice on the test images for a model that reads no reports."""
        return {"text-free bound": text_free_bound(self.draw(case) for case in self.index.cases_of("test"))}

    def subject_cases(self, split: str, number: int) -> list[Case]:
        """The two cases of one image: its report, and the complementary report."""
        name = f"{split}-{number:04d}"
        case = Case(name, images=(), label=None, subject=name, report=draw_report(SET_SEED, split, number))
        other = draw_report(SET_SEED, split, number, complement=True)
        return [case, Case(name + _COMPLEMENT, images=(), label=None, subject=name, report=other)]
