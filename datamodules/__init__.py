"""The data sets: index, splits, preparation and loading, with one base class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule as SegDataModule
    from datamodules.build import build_datamodule as build_datamodule

__all__ = [
    "SegDataModule",
    "build_datamodule",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "SegDataModule": "datamodules.bases.base",
        "build_datamodule": "datamodules.build",
    },
)
