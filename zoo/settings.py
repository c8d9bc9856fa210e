"""Settings of a machine from `ZOO_*` environment variables: folders, offline mode, and what a file may name."""

from __future__ import annotations

import os
from pathlib import Path

from zoo.utils import limits
from zoo.utils.config_files import allowed_classes


def cache_root() -> Path:
    """Return `ZOO_CACHE`, else the user's cache folder. It holds only what can be computed again."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "textseg-zoo"
    return Path(os.environ.get("ZOO_CACHE", default)).expanduser()


def data_root() -> Path | None:
    """Return `ZOO_DATA`, a folder with one sub-folder per data set; None if it is not set."""
    value = os.environ.get("ZOO_DATA")
    return Path(value).expanduser() if value else None


def hub_root() -> Path | None:
    """Return `ZOO_HUB`, a folder with packages of trained models in place of the Hugging Face hub; None if not set."""
    value = os.environ.get("ZOO_HUB")
    return Path(value).expanduser() if value else None


def offline() -> bool:
    """Return whether `ZOO_OFFLINE=1` is set: no model hub is asked, not even for a newer version of a cached file."""
    return os.environ.get("ZOO_OFFLINE", "0").lower() in {"1", "true", "yes"}


def assume_yes() -> bool:
    """Return whether `ZOO_YES=1` is set, which stands for `--yes`; a benchmark asks once and sets it for its jobs."""
    return os.environ.get("ZOO_YES", "0").lower() in {"1", "true", "yes"}


def describe() -> dict[str, str]:
    """Return every setting as text, for `zoo env`."""
    return {
        "ZOO_CACHE": str(cache_root()),
        "ZOO_DATA": str(data_root() or "(not set)"),
        "ZOO_HUB": str(hub_root() or "(not set)"),
        "ZOO_OFFLINE": "1" if offline() else "0",
        "ZOO_ALLOWED_CLASSES": ", ".join(sorted(allowed_classes())) or "(not set)",
        limits.VARIABLE: ",".join(f"{name}={value}" for name, value in limits.read_limits().items()) or "(not set)",
    }
