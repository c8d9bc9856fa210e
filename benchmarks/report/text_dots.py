"""The figure of the Dice with each text, in a report."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from benchmarks.leaderboard.aggregate import TEXTS
from benchmarks.report.entries import Entry
from benchmarks.report.plots import MARKERS, WIDTH, find_colour, make_figure
from benchmarks.report.svg import MUTED, RULE, inline_svg, page_style

_SPAN = 0.05
"""Smallest range of the Dice axis, so that a difference in the third digit does not look large."""

_LEGEND = 4
"""Most entries in a line of the legend."""

_FURTHER = ("<", ">", "h", "p")
"""Markers of the texts beyond those that models have."""


def draw_text_dots(entries: Sequence[Entry], key: str) -> Markup | None:
    """Draw the Dice with each text, joined by one line per model; None where no model reads text.

    Args:
        entries: The models.
        key: Prefix of the ids of the figure.
    """
    shown = [(entry, entry.texts) for entry in entries if len(entry.texts) > 1]
    if not shown:
        return None
    texts = [text for text in ("true", *TEXTS) if any(text in dices for _, dices in shown)]
    markers = dict(zip(texts, (*MARKERS, *_FURTHER), strict=False))
    with page_style():
        figure, axes = make_figure(0.75 + 0.44 * len(shown) + 0.2 * (len(texts) > _LEGEND), WIDTH)
        for row, (entry, dices) in enumerate(shown):
            axes.plot([min(dices.values()), max(dices.values())], [row, row], color=RULE, lw=2, zorder=1)
            for text, dice in dices.items():
                filled = find_colour(entry.place) if text == "true" else "none"
                axes.plot(
                    dice, row, markers[text], markersize=6.5, mfc=filled, mec=find_colour(entry.place), mew=1.3, ls=""
                )
            axes.text(0, row - 0.28, entry.name, va="bottom", fontsize=8, transform=axes.get_yaxis_transform())
        for text, marker in markers.items():
            label = text.replace("_", " ")
            axes.plot([], [], marker, mfc=MUTED if text == "true" else "none", mec=MUTED, ls="", label=label)
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=min(len(texts), _LEGEND),
            frameon=False,
            fontsize=8,
            handletextpad=0.1,
            columnspacing=1.0,
            labelcolor=MUTED,
        )
        axes.set(ylim=(len(shown) - 0.55, -0.75), yticks=[], xlabel="Dice")
        values = [dice for _, dices in shown for dice in dices.values()]
        room = max(0.08 * (max(values) - min(values)), _SPAN / 2 - (max(values) - min(values)) / 2)
        axes.set_xlim(min(values) - room, max(values) + room)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        return inline_svg(figure, key, f"Dice with each text: {', '.join(entry.name for entry, _ in shown)}")
