"""A toy data set with two queries per image: the left square and the right square of a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from datamodules.bases.base import SegDataModule
from datamodules.index.splits import Split, cut_by_subject
from zoo.io.pictures import PictureReader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.registry import Card
from zoo.types import Case

QUERIES = {"left": "The left square.", "right": "The right square."}
SIZE = 32

CARD = Card(
    "two_queries",
    about={
        "title": "Squares, two queries per image",
        "spatial_dims": 2,
        "in_channels": 1,
        "unit": "px",
        "track": "report",
        "laterality": "image",
        "exclusive": False,
        "classes": {"lesion": [255]},
        "prompts": "phantom_chest",
        "protocols": {"by_subject": {"about": "shuffled once"}},
    },
    config={"data": {"class_path": "tests.helpers.query_set.TwoQueries"}},
)


def make_query_set(root: Path, images: int = 12) -> Path:
    """Write pictures with two squares, and one mask per query."""
    for number in range(images):
        picture = np.zeros((SIZE, SIZE), np.uint8)
        for query, first in zip(QUERIES, (4, 20), strict=True):
            mask = np.zeros_like(picture)
            mask[8 + number % 8 : 16 + number % 8, first : first + 8] = 255
            picture[mask > 0] = 200
            Image.fromarray(mask).save(root / f"{number:02d}_{query}.png")
        Image.fromarray(picture + np.uint8(number)).save(root / f"{number:02d}.png")
    return root


class TwoQueries(SegDataModule):
    """Each picture has the queries `left` and `right`; two pictures are of one subject."""

    name = "two_queries"

    def list_cases(self) -> list[Case]:
        """Two cases per picture."""
        pictures = sorted(path for path in self.folder.glob("*.png") if path.stem.isdigit())
        return [
            Case(path.stem, (path,), path.with_name(f"{path.stem}_{query}.png"), f"s{int(path.stem) // 2}", text, query)
            for path in pictures
            for query, text in QUERIES.items()
        ]

    def split_cases(self, cases: list[Case]) -> Split:
        """By subject."""
        return cut_by_subject(self.protocol, cases, shares=(0.5, 0.2, 0.3))

    def preprocessing(self) -> PreprocessingSpec:
        """Resized to the patch."""
        return PreprocessingSpec(size=self.patch)

    @property
    def reader(self) -> PictureReader:
        """Gray pictures."""
        return PictureReader(drop=self.dropped_values, channels=1)
