"""The packages that export public names."""

from __future__ import annotations

PACKAGES = (
    "zoo",
    "zoo.models",
    "zoo.encoders",
    "zoo.metrics",
    "zoo.preprocessing",
    "datamodules",
    "datamodules.sets",
    "benchmarks",
)
