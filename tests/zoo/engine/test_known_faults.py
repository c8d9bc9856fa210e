"""Versions of cuDNN with a known fault are named where the fault can occur, and nowhere else."""

from __future__ import annotations

import pytest

from zoo.engine.known_faults import describe_cudnn_fault


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (90800, "cuDNN 9.8.0 computes wrong"),
        (91002, "cuDNN 9.10.2 computes wrong"),
        (91300, "cuDNN 9.13.0 may take three times the memory"),
        (91500, ""),
        (92000, ""),
        (90100, ""),
        (None, ""),
    ],
)
def test_a_version_is_named_with_its_fault(version: int | None, says: str) -> None:
    found = describe_cudnn_fault(version, "bf16-mixed", 3)
    assert found.startswith(says)
    assert bool(found) == bool(says)
    assert describe_cudnn_fault(version, "32-true", 3) == describe_cudnn_fault(version, "bf16-mixed", 2) == ""
