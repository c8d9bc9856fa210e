"""Findings from errors and from the index of a data set."""

from __future__ import annotations

import pickle

from datamodules.verify import Finding, index_findings
from zoo.errors import DataError
from zoo.types import Case


def test_an_error_keeps_its_attributes_between_processes() -> None:
    error = pickle.loads(pickle.dumps(DataError("a.png: no such file.", "Download it.", "missing_file")))  # noqa: S301
    assert str(error) == "a.png: no such file. Download it."
    assert Finding.of(error, "a") == Finding("a", "a.png", "missing_file", "a.png: no such file.", "Download it.")


def test_a_generated_case_lacks_no_file() -> None:
    assert index_findings([Case("train-0", (), None, "0", "A report.")], reports=True) == []
    assert [f.kind for f in index_findings([Case("train-0", (), None, "0", " ")], reports=True)] == ["caption_empty"]
