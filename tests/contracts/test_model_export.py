"""Every model can be exported: `make test` exports the smallest network of each kind, `make test-slow` all models."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.helpers.exported_models import export_smallest
from tests.helpers.model_cases import ModelCase, model_cases
from zoo.errors import ZooError
from zoo.export.parity import TOLERANCE

REFUSED = ("cris",)
"""Models whose export as ONNX may be refused, as `docs/export.md` says; a file that is written must agree."""


def first_of_kinds() -> set[ModelCase]:
    """Return one model per dimension that reads no text, and one that does."""
    kinds: dict[tuple[int, bool], ModelCase] = {}
    for case in model_cases():
        kinds.setdefault((case.dims, case.vision_only), case)
    return {*kinds.values()}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=str(case)) for case in model_cases() if case in first_of_kinds()],
)
def test_one_model_of_each_kind_is_exported_and_agrees_with_the_original(case: ModelCase, tmp_path: Path) -> None:
    agrees(export_smallest(case, "torch_export", tmp_path / "out"))


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(case, id=str(case)) for case in model_cases()])
def test_every_model_runs_in_onnx_runtime_and_agrees_or_is_refused(case: ModelCase, tmp_path: Path) -> None:
    if case.card.name in REFUSED:
        with suppress(ZooError):
            agrees(export_smallest(case, "onnx", tmp_path / "out"))
        return
    agrees(export_smallest(case, "onnx", tmp_path / "out"))


def agrees(about: dict[str, dict[str, float]]) -> None:
    parity = about["parity"]
    assert parity["largest_difference"] <= TOLERANCE
    assert parity.get("other_largest_difference", 0) <= TOLERANCE
    assert parity["differing_labels"] < 0.01 * parity["voxels"]
