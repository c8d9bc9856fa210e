"""Machine-wide settings from `ZOO_*` environment variables: where data and caches lie, offline or not."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """`ZOO_CACHE`, else the user's cache folder: prepared arrays and nothing that cannot be made again."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "textseg-zoo"
    return Path(os.environ.get("ZOO_CACHE", default)).expanduser()


def data_root() -> Path | None:
    """`ZOO_DATA`: a folder whose sub-folders are the roots of data sets, or None."""
    value = os.environ.get("ZOO_DATA")
    return Path(value).expanduser() if value else None


def offline() -> bool:
    """`ZOO_OFFLINE=1`: never ask a hub, not even whether a cached file is the newest."""
    return os.environ.get("ZOO_OFFLINE", "0").lower() in {"1", "true", "yes"}


def describe() -> dict[str, str]:
    """Every setting as text, for `zoo env`."""
    return {
        "ZOO_CACHE": str(cache_root()),
        "ZOO_DATA": str(data_root() or "(not set)"),
        "ZOO_OFFLINE": "1" if offline() else "0",
    }
