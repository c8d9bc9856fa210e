"""Patch, batch size and network shape that follow from the training cases, by the rules of nnU-Net. No torch here.

`plan(summary, preset)` is a pure function of what `zoo data stats` measured. docs/planner.md says which rule is whose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from zoo.planner.blueprint import Plan as Plan
    from zoo.planner.planning import plan as plan
    from zoo.planner.presets import PRESETS as PRESETS
    from zoo.planner.summary import DatasetSummary as DatasetSummary
    from zoo.planner.summary import Grid as Grid
    from zoo.planner.summary import Intensities as Intensities

__all__ = ["PRESETS", "DatasetSummary", "Grid", "Intensities", "Plan", "plan"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "PRESETS": "zoo.planner.presets",
        "DatasetSummary": "zoo.planner.summary",
        "Grid": "zoo.planner.summary",
        "Intensities": "zoo.planner.summary",
        "Plan": "zoo.planner.blueprint",
        "plan": "zoo.planner.planning",
    },
)
