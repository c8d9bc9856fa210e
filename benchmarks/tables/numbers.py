"""Numbers as tables print them."""

from __future__ import annotations


def format_number(value: float | None, digits: int, sign: str = "") -> str:
    """Return a number with a fixed number of digits after the point, or nothing for None.

    Args:
        value: The number.
        digits: Number of digits.
        sign: "+" to write the sign of positive numbers too.

    Example:
        >>> format_number(0.12345, 3), format_number(-0.0001, 3, "+"), format_number(None, 3)
        ('0.123', '+0.000', '')
    """
    return "" if value is None else f"{round(value, digits) + 0.0:{sign}.{digits}f}"  # + 0.0 avoids "-0.000"


def format_spread(mean: float | None, deviation: float | None, digits: int, sign: str = "") -> str:
    """Return a mean, with its standard deviation where there is one.

    Example:
        >>> format_spread(0.5, 0.1, 2), format_spread(0.5, None, 2)
        ('0.50 ± 0.10', '0.50')
    """
    return format_number(mean, digits, sign) + (f" ± {deviation:.{digits}f}" if deviation is not None else "")


def format_interval(low: float | None, high: float | None, digits: int = 3, sign: str = "") -> str:
    """Return an interval, or nothing where an end is missing.

    Example:
        >>> format_interval(0.25, 0.5)
        '[0.250, 0.500]'
    """
    if low is None or high is None:
        return ""
    return f"[{format_number(low, digits, sign)}, {format_number(high, digits, sign)}]"


def format_percent(value: float | None) -> str:
    """Return a fraction in percent.

    Example:
        >>> format_percent(0.875)
        '88 %'
    """
    return "" if value is None else f"{100 * value:.0f} %"


def format_p_value(value: float | None) -> str:
    """Return a p value, which never prints as 0.

    Example:
        >>> format_p_value(0.0421), format_p_value(1e-5)
        ('0.042', '< 0.001')
    """
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def format_count(value: float | None) -> str:
    """Return a count, or the mean of counts with two digits at most.

    Example:
        >>> format_count(2.0), format_count(2 / 3)
        ('2', '0.67')
    """
    return "" if value is None else f"{round(value, 2):g}"
