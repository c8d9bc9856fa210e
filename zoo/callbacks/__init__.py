"""Lightning callbacks of a run: records, checkpoints, random states, scores, predictions, pictures, progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from zoo.callbacks.averaged_weights import AveragedWeights as AveragedWeights
    from zoo.callbacks.early_stopping import EarlyStopping as EarlyStopping
    from zoo.callbacks.faster_steps import FasterSteps as FasterSteps
    from zoo.callbacks.frozen_encoder import FrozenEncoder as FrozenEncoder

__all__ = ["AveragedWeights", "EarlyStopping", "FasterSteps", "FrozenEncoder"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "AveragedWeights": "zoo.callbacks.averaged_weights",
        "EarlyStopping": "zoo.callbacks.early_stopping",
        "FasterSteps": "zoo.callbacks.faster_steps",
        "FrozenEncoder": "zoo.callbacks.frozen_encoder",
    },
)
