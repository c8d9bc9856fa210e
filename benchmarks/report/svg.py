"""Convert matplotlib figures to inline SVG with the colours (light and dark), the font and the width of the page."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, RULE = "#010203", "#020304", "#030405"
"""Placeholders, while a figure is drawn, for the colours of text, of less important text and of lines."""

SERIES = tuple(f"#1{number}2233" for number in range(8))
"""Placeholders for the colours of the models, by their place."""

NARROW = 4.0
"""Width in inches up to which a figure fits a telephone; the page hides wider figures there."""

_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule"} | {
    colour: f"--s{number}" for number, colour in enumerate(SERIES)
}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "textseg-zoo",
    "text.parse_math": False,  # a `$` in a name is a `$`
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
}


@contextmanager
def page_style() -> Iterator[None]:
    """Give figures the style of the page until the context ends, whatever the settings of the user's matplotlib."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def inline_svg(figure: Figure, key: str, title: str) -> Markup:
    """Return a figure as an `<svg>` element; the same figure gives the same bytes.

    Args:
        figure: The figure, made within `page_style`.
        key: Prefix of its ids, unique on the page: letters, digits and hyphens.
        title: Description for readers who cannot see the figure.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r'(\bid=")', rf"\1{key}-", text)
    text = re.sub(r'(?:xlink:)?href="#', f'href="#{key}-', text)
    text = text.replace("url(#", f"url(#{key}-")
    text = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font: \1 var(--sans)", text)
    text = re.sub(r"font-family: [^;\"]+", "font-family: var(--sans)", text)
    for colour, name in _VARIABLES.items():
        text = text.replace(colour, f"var({name})")
    box = re.search(r'viewBox="([^"]+)"', text)
    kind = "plot" if figure.get_figwidth() <= NARROW else "wide"
    head = f'<svg class="{kind}" role="img" aria-label="{escape(title)}" viewBox="{box.group(1) if box else ""}">'
    text = head + text[text.index(">") + 1 :]
    return Markup(re.sub(r"\n\s*", "\n", text).strip())  # noqa: S704 - matplotlib has escaped every name in it
