"""The recipe of `docs/own_data.md` makes a table that `image_text_folder` reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from datamodules.build import build_datamodule
from tests.helpers.doc_blocks import blocks
from tests.helpers.paths import REPOSITORY


def make_biomedparse(root: Path, subjects: int = 10) -> Path:
    """Write a set in the layout of BiomedParseData: two targets per slice, two slices per subject."""
    rng = np.random.default_rng(0)
    for part, names in (("train", range(subjects - 3)), ("test", range(subjects - 3, subjects))):
        annotations: list[dict[str, object]] = []
        for subject in names:
            for number in range(2):
                stem = f"amos_{subject:04d}-{number}_CT_abdomen"
                picture = rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)
                _save(root / part / f"{stem}.png", picture)
                for target, corner in (("liver", 4), ("left+kidney", 20)):
                    mask = np.zeros((32, 32), np.uint8)
                    mask[corner : corner + 8, corner : corner + 8] = 255
                    _save(root / f"{part}_mask" / f"{stem}_{target}.png", mask)
                    sentence = f"{target.replace('+', ' ')} in abdomen CT"
                    annotations.append(
                        {
                            "file_name": f"{stem}.png",
                            "mask_file": f"{stem}_{target}.png",
                            "sentences": [{"raw": sentence, "sent": sentence, "sent_id": len(annotations)}],
                        }
                    )
        (root / f"{part}.json").write_text(json.dumps({"images": [], "annotations": annotations}))
    return root


def _save(path: Path, picture: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def test_the_table_has_a_query_per_annotation_and_splits_by_subject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_biomedparse(tmp_path / "BiomedParseData" / "amos22")
    monkeypatch.chdir(tmp_path)
    (recipe,) = (block for block in blocks(REPOSITORY / "docs" / "own_data.md") if block.kind == "python")
    exec(compile(recipe.content, "own_data.md", "exec"), {})  # noqa: S102
    data = build_datamodule("image_text_folder", root=str(root), patch=[32, 32])
    assert len(data.cases) == 40
    assert (data.card.track, data.card.queries, data.card.has_reports) == ("class", True, True)
    assert {case.report for case in data.cases.values()} == {"liver in abdomen CT", "left kidney in abdomen CT"}
    assert not data.split.leaks()
    case = data.cases_of("test")[0]
    prepared = data.load_image(case)
    mask = data.load_label(case, prepared.geometry)
    assert mask is not None
    assert mask.sum() == 64
