"""A console for tables and colours. Text of data sets, cards and configurations cannot change its markup."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from zoo.utils.printing import KEPT
from zoo.utils.safe_text import to_printable


class SafeConsole(Console):
    """A console that prints text as it is: no markup, no emoji codes, and escapes in place of control characters.

    Colours come from `rich.text.Text` with a style.

    Args:
        **options: Arguments of `rich.console.Console`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Convert text; the width of a column is measured after it."""
        return super().render_str(to_printable(text, KEPT), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render anything; the control codes of rich itself stay."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(to_printable(text, KEPT), style)
