"""The figures of a report.

Each is small enough for a telephone, and a wide page shows three side by side. Of fewer, it shows wider drawings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from benchmarks.report.entries import Curve, Entry
from benchmarks.report.svg import INK, SERIES, inline_svg, page_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 3.6
"""Width of a figure in inches of 72 units; the page shows it about 340 pixels wide."""

ACROSS = 3
"""Number of figures of this width that a wide page shows side by side."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))

_POINTS = 60  # up to this number of cases, each case is a point


def find_colour(place: int) -> str:
    """Return the colour of a model by its place; after eight, colours repeat with another dash and marker."""
    return SERIES[place % len(SERIES)]


def find_dash(place: int) -> int:
    """Return the number of the dash of a model by its place."""
    return (place + place // len(SERIES)) % len(DASHES)


def fill_width(draw: Callable[[float, str], Markup | None], beside: int) -> Markup | None:
    """Draw a figure for a telephone and, where few figures stand side by side, once more for a wide page.

    Args:
        draw: Draws the figure with a width in inches; the text is to be added to the ids.
        beside: Number of figures side by side, with this one.
    """
    narrow = draw(WIDTH, "")
    if narrow is None or beside >= ACROSS:
        return narrow
    return Markup('<div class="fit">{}{}</div>').format(narrow, draw(WIDTH * ACROSS / beside, "w"))


def draw_boxes(entries: Sequence[Entry], label: str | None, key: str, width: float = WIDTH) -> Markup:
    """Draw the Dice of the cases, one box per model.

    A box has the quartiles, whiskers from the 5th to the 95th percentile, and the mean as a diamond.

    Args:
        entries: The models.
        label: The class, None for the mean over the classes of a case.
        key: Prefix of the ids of the figure.
        width: Width in inches.
    """
    with page_style():
        figure, axes = make_figure(0.55 + 0.42 * len(entries), width)
        title = label or "mean over classes"
        for row, entry in enumerate(entries):
            values = entry.case_dices(label)
            if values:
                _draw_box(axes, values, row, find_colour(entry.place))
            axes.text(0, row - 0.3, entry.name if values else f"{entry.name}: in no case", va="bottom", fontsize=8)
        axes.set(xlim=(-0.015, 1.015), ylim=(len(entries) - 0.55, -0.75), yticks=[], xlabel="Dice per case")
        axes.set_title(title)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        return inline_svg(figure, key, f"Box plots of the Dice of the cases, {title}: {', '.join(_names(entries))}")


def _draw_box(axes: Axes, values: Sequence[float], row: int, colour: str) -> None:
    axes.boxplot(
        [values],
        positions=[row],
        widths=0.34,
        orientation="horizontal",
        whis=(5, 95),
        showfliers=False,
        showmeans=True,
        manage_ticks=False,
        boxprops={"color": colour, "linewidth": 1.2},
        whiskerprops={"color": colour, "linewidth": 1},
        capprops={"color": colour, "linewidth": 1},
        medianprops={"color": INK, "linewidth": 1.6},
        meanprops={"marker": "D", "markersize": 3.5, "markerfacecolor": INK, "markeredgecolor": INK},
    )
    if len(values) <= _POINTS:
        offsets = np.resize([-0.09, 0.03, 0.09, -0.03], len(values))
        axes.plot(
            values,
            row + offsets,
            "o",
            markersize=2.4,
            color=colour,
            alpha=0.5,
            markeredgecolor=colour,
            markeredgewidth=0,
        )


def draw_scatter(
    entries: Sequence[Entry], across: Sequence[float | None], xlabel: str, key: str, width: float = WIDTH
) -> Markup | None:
    """Draw the Dice against another number of the models, ± over seeds; None where no model has the number.

    Args:
        entries: The models.
        across: The number of each model, None where a model has none.
        xlabel: Label of the number.
        key: Prefix of the ids of the figure.
        width: Width in inches.
    """
    points = [(e, x, e.row.dice) for e, x in zip(entries, across, strict=True) if x and e.row.dice is not None]
    if not points:
        return None
    with page_style():
        figure, axes = make_figure(2.7, width)
        for entry, x, dice in points:
            colour, marker = find_colour(entry.place), MARKERS[entry.place % len(MARKERS)]
            axes.errorbar(x, dice, entry.row.std.dice, fmt=marker, color=colour, markersize=6, elinewidth=1, capsize=2)
        axes.set_xscale("log")
        xs = [x for _, x, _ in points]
        low = min(dice - (entry.row.std.dice or 0.0) for entry, _, dice in points)
        high = max(dice + (entry.row.std.dice or 0.0) for entry, _, dice in points)
        room = max(high - low, 0.02) * 0.2
        axes.set(xlim=(min(xs) / 1.9, max(xs) * 1.9), ylim=(low - room, high + room))
        _set_plain_ticks(axes, xs)
        _label_points(axes, [(entry.name, x, dice) for entry, x, dice in points], width)
        axes.set(xlabel=xlabel, ylabel="Dice")
        axes.grid(axis="y")
        return inline_svg(figure, key, f"Dice against {xlabel}: {', '.join(_names(entries))}")


def _label_points(axes: Axes, points: Sequence[tuple[str, float, float]], inches: float) -> None:
    """Write each name beside its point, at the first of six places without another name or point."""
    units = [tuple(axes.transAxes.inverted().transform(axes.transData.transform(point[1:]))) for point in points]
    width, height = inches * 72 - 54, 150.0  # of the axes, in points, approximately
    taken = [(x * width - 4, y * height - 4, x * width + 4, y * height + 4) for x, y in units]
    for (name, x, dice), (left, up) in zip(points, units, strict=True):
        length = 4.3 * len(name)
        places = [(side, rise) for rise in (4, -11, 12) for side in ((7, -7) if left < 0.5 else (-7, 7))]
        free = []
        for side, rise in places:
            start = left * width + (side if side > 0 else side - length)
            box = (start, up * height + rise, start + length, up * height + rise + 8)
            others = [b for b in taken if b[0] < box[2] and box[0] < b[2] and b[1] < box[3] and box[1] < b[3]]
            if not others and box[0] >= 0 and box[2] <= width:
                free.append((side, rise, box))
        side, rise, box = free[0] if free else (*places[0], (0.0, 0.0, 0.0, 0.0))
        taken.append(box)
        align = "left" if side > 0 else "right"
        axes.annotate(name, (x, dice), (side, rise), textcoords="offset points", ha=align, va="bottom", fontsize=8)


def _set_plain_ticks(axes: Axes, values: Sequence[float]) -> None:
    """Write ticks as plain numbers, because powers of ten in mathematical type do not use the font of the page."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    wide = max(values) / min(values) > 20
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def draw_curves(
    entries: Sequence[tuple[Entry, Sequence[Curve]]], ylabel: str, key: str, width: float = WIDTH
) -> Markup | None:
    """Draw one line per run over the epochs, in the colour and dash of its model; None where nothing was logged.

    Args:
        entries: Each model with the curves of its runs.
        ylabel: Label of the values.
        key: Prefix of the ids of the figure.
        width: Width in inches.
    """
    lines = [(entry, curve) for entry, seeds in entries for curve in seeds if curve]
    if not lines:
        return None
    with page_style():
        from matplotlib.ticker import FixedLocator, MaxNLocator

        figure, axes = make_figure(2.5, width)
        for entry, curve in lines:
            x, y = zip(*curve, strict=True)
            dots = "." if len(x) < 30 else ""
            axes.plot(
                x,
                y,
                marker=dots,
                ls=DASHES[find_dash(entry.place)],
                color=find_colour(entry.place),
                lw=1.2,
                markersize=4,
                alpha=0.9,
            )
        epochs = sorted({epoch for _, curve in lines for epoch, _ in curve})
        few = len(epochs) <= 6  # a locator adds fractions around a single epoch
        axes.xaxis.set_major_locator(FixedLocator(epochs) if few else MaxNLocator(integer=True, nbins=6))
        axes.set(xlabel="epoch")
        axes.set_title(ylabel)
        axes.grid(axis="y")
        names = ", ".join(dict.fromkeys(entry.name for entry, _ in lines))
        return inline_svg(figure, key, f"{ylabel} over the epochs: {names}")


def draw_intervals(entries: Sequence[Entry], key: str, width: float = WIDTH) -> Markup | None:
    """Draw the Dice of each model with its interval over subjects; None where there are no intervals.

    Args:
        entries: The models, in the order of the ranking.
        key: Prefix of the ids of the figure.
        width: Width in inches.
    """
    if not any(entry.row.dice_low is not None for entry in entries):
        return None
    with page_style():
        figure, axes = make_figure(0.55 + 0.4 * len(entries), width)
        for number, entry in enumerate(entries):
            row, colour = entry.row, find_colour(entry.place)
            if row.dice_low is not None and row.dice_high is not None:
                axes.plot([row.dice_low, row.dice_high], [number, number], color=colour, lw=2.2)
            axes.plot(row.dice or 0.0, number, MARKERS[entry.place % len(MARKERS)], color=colour, markersize=6.5)
            axes.text(0, number - 0.24, entry.name, va="bottom", fontsize=8, transform=axes.get_yaxis_transform())
        axes.set(ylim=(len(entries) - 0.55, -0.75), yticks=[], xlabel="Dice")
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        return inline_svg(figure, key, f"Dice and its 95 % interval: {', '.join(_names(entries))}")


def make_figure(height: float, width: float) -> tuple[Figure, Axes]:
    """Make a figure with one plot, of a size in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _names(entries: Sequence[Entry]) -> list[str]:
    return [entry.name for entry in entries]
