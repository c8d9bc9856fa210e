"""What `zoo data prepare` leaves in `ZOO_DATA`."""

from __future__ import annotations

from pathlib import Path


def left(data: Path) -> list[str]:
    """The content of `ZOO_DATA` without locks."""
    return sorted(path.name for path in data.iterdir() if path.suffix != ".lock") if data.is_dir() else []
