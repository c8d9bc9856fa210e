"""Text of counts, durations and sizes."""

from __future__ import annotations

from collections.abc import Sequence


def format_quantity(count: int, thing: str) -> str:
    """Return a count with its noun.

    Example:
        >>> format_quantity(1, "job"), format_quantity(2, "job")
        ('1 job', '2 jobs')
    """
    return f"{count} {thing}{'' if count == 1 else 's'}"


def list_some(names: Sequence[object], separator: str = ", ", most: int = 10) -> str:
    """Return the first names, and the number of the others.

    Example:
        >>> list_some(["a", "b", "c", "d"], most=2)
        'a, b and 2 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return separator.join(map(str, names[:most])) + more


def format_duration(seconds: float | None) -> str:
    """Return a duration as `h:mm:ss`; empty if it is unknown.

    Example:
        >>> format_duration(3725.0)
        '1:02:05'
    """
    if seconds is None:
        return ""
    whole, rest = divmod(round(seconds), 3600)
    return f"{whole}:{rest // 60:02d}:{rest % 60:02d}"


def format_bytes(size: int | None) -> str:
    """Return a number of bytes with its unit.

    Example:
        >>> format_bytes(28425216)
        '28.4 MB'
    """
    if size is None:
        return "size not known"
    value, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
