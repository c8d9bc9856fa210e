"""Names of packages on a hub: `hub:OWNER/NAME`, or with a pinned revision `hub:OWNER/NAME@COMMIT`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from zoo.errors import ConfigError

PREFIX = "hub:"

_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class HubName:
    """The name of a package.

    Attributes:
        repo: "OWNER/NAME", or "NAME" on a hub that is a folder.
        revision: A commit, a branch or a tag; empty for the newest.

    Example:
        >>> str(HubName.parse("hub:lab/film-qata@v1")), HubName.parse("hub:lab/film-qata").pinned
        ('hub:lab/film-qata@v1', False)
    """

    repo: str
    revision: str = ""

    def __str__(self) -> str:
        """The name as a user types it."""
        return f"{PREFIX}{self.repo}{f'@{self.revision}' if self.revision else ''}"

    @property
    def pinned(self) -> bool:
        """Whether the name stands for the same files for ever."""
        return bool(_COMMIT.fullmatch(self.revision))

    def at(self, revision: str) -> HubName:
        """Return the name with a revision."""
        return HubName(self.repo, revision)

    @classmethod
    def parse(cls, text: str) -> HubName:
        """Read a name.

        Raises:
            ConfigError: The text is no name of a package.
        """
        repo, at, revision = text.removeprefix(PREFIX).partition("@")
        right = _REPO.fullmatch(repo) and ".." not in repo and (not at or _REVISION.fullmatch(revision))
        if not text.startswith(PREFIX) or not right:
            raise ConfigError(f"'{text}' is no name of a package.", "Write hub:OWNER/NAME or hub:OWNER/NAME@COMMIT.")
        return cls(repo, revision)


def is_hub_name(text: str) -> bool:
    """Return whether a text is meant as the name of a package.

    Example:
        >>> is_hub_name("hub:lab/film"), is_hub_name("runs/film")
        (True, False)
    """
    return text.startswith(PREFIX)
