"""What a check of `zoo doctor` found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `zoo doctor`.

    Attributes:
        subject: What was checked.
        what: What was found.
        fix: The command or change that mends it; empty where nothing is wrong.

    Example:
        >>> Finding("disk", "0 B free", "Free some space.").wrong
        True
    """

    subject: str
    what: str
    fix: str = ""

    @property
    def wrong(self) -> bool:
        """Whether something must be mended."""
        return bool(self.fix)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for `--json`."""
        return {**asdict(self), "wrong": self.wrong}
