"""Preprocessing of one image and the way back, for training and for new scans: no data set, cache or card is needed.

`load_case` reads the files of a case and applies a `PreprocessingSpec`; `preprocess` does so with arrays.
`native_mask` brings the network's logits back to the grid of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from zoo.preprocessing.apply import PreparedCase as PreparedCase
    from zoo.preprocessing.apply import load_case as load_case
    from zoo.preprocessing.apply import preprocess as preprocess
    from zoo.preprocessing.spec import PreprocessingSpec as PreprocessingSpec
    from zoo.preprocessing.undo import native_mask as native_mask

__all__ = [
    "PreparedCase",
    "PreprocessingSpec",
    "load_case",
    "native_mask",
    "preprocess",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "PreparedCase": "zoo.preprocessing.apply",
        "PreprocessingSpec": "zoo.preprocessing.spec",
        "load_case": "zoo.preprocessing.apply",
        "native_mask": "zoo.preprocessing.undo",
        "preprocess": "zoo.preprocessing.apply",
    },
)
