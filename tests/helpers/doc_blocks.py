"""The fenced blocks of a page, and the commands in them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from tests.helpers.paths import REPOSITORY

PAGES = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").rglob("*.md"))]
"""Every page of the documentation."""


class Block(NamedTuple):
    """A fenced block of a page.

    Attributes:
        kind: The word behind the fence: "python", "bash", "yaml", ...; empty without one.
        content: The lines between the fences.
        line: The number of the first line of the content.
    """

    kind: str
    content: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2], text.count("\n", 0, match.start()) + 2) for match in found]


def commands(block: Block) -> list[list[str]]:
    """The words of each command of a bash block, without comments."""
    lines = block.content.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]
