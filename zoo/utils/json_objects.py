"""Reads the JSON files that the zoo itself wrote: manifests, plans, states. Another content is one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo.errors import RunError


def read_object(path: Path, fix: str = "Choose another --out.") -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Args:
        path: The file.
        fix: What to do if the content is another one.

    Raises:
        RunError: The file cannot be read, is not JSON, is nested too deeply, or holds no object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: the file is not readable JSON: {error}.", fix) from error
    except RecursionError as error:
        raise RunError(f"{path}: the file is not readable JSON: it is nested too deeply.", fix) from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: the file is not a JSON object.", fix)
    return content
