"""The two ways in which distances are computed, for tests that hold for both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from zoo.metrics import comparison, surfels


@pytest.fixture(scope="module", params=["numba", "scipy"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Compute scores by compiled kernels, then by SciPy."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (comparison, surfels):
            patch.setattr(module, "has_numba", lambda: request.param == "numba")
        yield request.param
