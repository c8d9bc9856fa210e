"""An extension of griffe, which reads our docstrings for `make docs`: `Example:` is its section `Examples:`.

Otherwise the examples would be read as Markdown, in which `[1, 2][0]` is a link.
"""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object


class Examples(Extension):
    """Renames the sections with an example."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rename the section in the docstring of one object."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
