"""Counts and durations as a reader wants them."""

from __future__ import annotations


def counted(count: int, thing: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def hours(seconds: float | None) -> str:
    """A duration as `h:mm:ss`; empty where it is not known."""
    if seconds is None:
        return ""
    whole, rest = divmod(round(seconds), 3600)
    return f"{whole}:{rest // 60:02d}:{rest % 60:02d}"
