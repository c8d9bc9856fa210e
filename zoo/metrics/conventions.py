"""Further conventions of scoring by name, in a module of their own: the help of a command needs no metrics."""

from __future__ import annotations

SURFACE_DISTANCE, REX, CVPR25 = "surface-distance", "rexgroundingct", "cvpr25"

CONVENTIONS = (SURFACE_DISTANCE, REX, CVPR25)
"""Their scores are computed on request, or where the card of the data set names them: `zoo.metrics.surfels` and
`zoo.metrics.scorers`."""
