"""Faults that `zoo data verify` finds by comparing the cases of a data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from datamodules.verify import verify
from tests.helpers.all_sets import built
from tests.helpers.image_sets import (
    make_own_pictures,
    write_table,
)
from zoo.errors import DataError
from zoo.io.tables import read_table


def test_a_mask_for_several_cases_is_refused_in_training_and_is_a_finding(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    header, rows = read_table(root / "cases.csv")
    same = [[row[0], rows[0][1], *row[2:]] for row in rows]
    write_table(root / "cases.csv", [tuple(header), *(tuple(row) for row in same)])
    data = built("image_text_folder", root)
    with pytest.raises(DataError, match=r"p0\.png: the label of 12 cases \(pictures-p0, pictures-p1"):
        _ = data.cases
    assert "mask_shared" in [finding.kind for finding in verify(built("image_text_folder", root))]


def test_a_class_that_is_in_no_label_is_a_finding(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    (root / "dataset.yaml").write_text("classes: {red spot: [1], blue spot: 2, vessel: 7}\nchannels: 3\n")
    findings = verify(built("image_text_folder", root))
    assert [finding.kind for finding in findings] == ["class_absent"]
    assert "class 'vessel' (values [7]) is in none of 12 labels" in findings[0].problem
