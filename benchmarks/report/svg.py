"""matplotlib figures as inline SVG that follows the page: its colours in light and dark, its letters, its width."""

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
"""Stand for the page's colours of text, of lesser text and of lines while a figure is drawn."""

SERIES = tuple(f"#1{number}2233" for number in range(8))
"""Stand for the page's colours of the models, by their place."""

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
def style() -> Iterator[None]:
    """Figures that are made here take the page's looks, whatever the user's own matplotlib is set to."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def inline(figure: Figure, key: str, title: str) -> Markup:
    """A figure as an `<svg>` element; the same figure gives the same bytes.

    Args:
        figure: The figure, made within `style`.
        key: Letters, digits and hyphens; sets its ids apart from those of the page's other figures.
        title: What is seen, for those who do not see it.
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
    head = f'<svg class="plot" role="img" aria-label="{escape(title)}" viewBox="{box.group(1) if box else ""}">'
    text = head + text[text.index(">") + 1 :]
    return Markup(re.sub(r"\n\s*", "\n", text).strip())  # noqa: S704 - matplotlib has escaped every name in it
