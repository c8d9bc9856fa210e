"""Text-guided medical image segmentation models that are compared on equal terms.

Importing `zoo` loads neither torch nor Lightning; the listing commands stay fast for that reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from zoo.data_facts import DataFacts as DataFacts
    from zoo.data_facts import make_facts as make_facts
    from zoo.engine.initial_weights import load_weights as load_weights
    from zoo.engine.trained_model import load_run as load_run
    from zoo.metrics.scoring import score_case as score_case
    from zoo.models.base import SegModule as SegModule
    from zoo.segment.result import Segmentation as Segmentation
    from zoo.segment.segmenter import Segmenter as Segmenter
    from zoo.segment.segmenter import load as load
    from zoo.types import (
        Batch as Batch,
    )
    from zoo.types import (
        Case as Case,
    )
    from zoo.types import (
        ClassPrompt as ClassPrompt,
    )
    from zoo.types import (
        LabelSpace as LabelSpace,
    )
    from zoo.types import (
        Prediction as Prediction,
    )
    from zoo.types import (
        Text as Text,
    )

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Case",
    "ClassPrompt",
    "DataFacts",
    "LabelSpace",
    "Prediction",
    "SegModule",
    "Segmentation",
    "Segmenter",
    "Text",
    "load",
    "load_run",
    "load_weights",
    "make_facts",
    "score_case",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Batch": "zoo.types",
        "Case": "zoo.types",
        "ClassPrompt": "zoo.types",
        "DataFacts": "zoo.data_facts",
        "LabelSpace": "zoo.types",
        "Prediction": "zoo.types",
        "Text": "zoo.types",
        "make_facts": "zoo.data_facts",
        "SegModule": "zoo.models.base",
        "Segmentation": "zoo.segment.result",
        "Segmenter": "zoo.segment.segmenter",
        "load": "zoo.segment.segmenter",
        "load_run": "zoo.engine.trained_model",
        "load_weights": "zoo.engine.initial_weights",
        "score_case": "zoo.metrics.scoring",
    },
)
