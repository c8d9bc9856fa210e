"""Files of weights that hold code, as a stranger may send them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


class Code:
    """An object that makes a file when it is unpickled.

    Args:
        trace: The file.
    """

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return _touch, (str(self._trace),)


def save_with_code(path: Path, content: dict[str, Any], *, archive: bool = True) -> Path:
    """Save a checkpoint with a `Code`, after a check that an unguarded reader would run the code.

    Args:
        path: The checkpoint.
        content: What a sound checkpoint has.
        archive: Whether torch writes its zip archive; its old format otherwise.

    Returns:
        The file that exists once the code has run.
    """
    trace = path.with_name("code-was-run")
    torch.save({**content, "callbacks": Code(trace)}, path, _use_new_zipfile_serialization=archive)
    torch.load(path, weights_only=False)
    trace.unlink()  # raises an error if the file is not hostile
    return trace


def _touch(path: str) -> None:
    Path(path).touch()
