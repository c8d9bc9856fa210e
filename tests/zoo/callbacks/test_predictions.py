"""`zoo predict` writes one label image per case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.callbacks.predictions import Predictions
from zoo.types import Geometry, Prediction


@pytest.mark.parametrize("name", ["../a", "a\nb", "\x1b[31m", "x" * 260, "-rf"])
def test_the_name_of_a_label_image_is_safe_whatever_the_name_of_the_case(tmp_path: Path, name: str) -> None:
    geometry = Geometry(None, (4, 4), ((0, 4), (0, 4)), (1.0, 1.0), "px")
    callback, nothing = Predictions(tmp_path / "p"), Any
    predictions = [Prediction(name, np.ones((1, 4, 4), np.uint8), geometry)]
    callback.on_predict_batch_end(nothing, nothing, predictions, None, 0)  # type: ignore[arg-type]
    [file] = (tmp_path / "p").iterdir()
    assert file.name.isprintable()
    assert not file.name.startswith((".", "-"))
    assert [one.name for one in tmp_path.iterdir()] == ["p"]
