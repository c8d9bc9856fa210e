"""The codes of classes in DICOM: SNOMED CT where the class is known, else a code of our own scheme."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from zoo.errors import ConfigError
from zoo.registry import CONFIGS, read_yaml

FILE = CONFIGS / "dicom_codes.yaml"
SCHEME = "99TEXTSEGZOO"
"""Our scheme of codes. DICOM lets private schemes begin with 99."""

LONGEST = 64
"""Most characters of a label and of the meaning of a code in DICOM (value representation LO)."""


class ClassCodes(NamedTuple):
    """The codes of one class. Each code is a `pydicom.sr.coding.Code`.

    Attributes:
        category: Structure, abnormal structure or, where nothing is known, tissue.
        kind: What the class is.
        side: Left or right; None where the name has no side.
        organ: Where an abnormal structure lies; None where the name does not say it.
    """

    category: Any
    kind: Any
    side: Any = None
    organ: Any = None


def find_codes(name: str) -> ClassCodes:
    """Find the codes of a class by its name.

    Args:
        name: The name of the class. Blanks and hyphens are read as underscores.

    Raises:
        ConfigError: The file of codes names a keyword that pydicom does not have.

    Example:
        >>> codes = find_codes("left_kidney")
        >>> codes.kind.meaning, codes.side.meaning, find_codes("ulna").kind.scheme_designator
        ('Kidney', 'Left', '99TEXTSEGZOO')
    """
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    table = read_codes()
    plain = "_".join(name.lower().replace("-", " ").replace("_", " ").split())
    side, _, rest = plain.partition("_")
    if plain in table["abnormal"]:
        kind, *organ = table["abnormal"][plain]
        category = codes.SCT.MorphologicallyAbnormalStructure
        return ClassCodes(category, _find(kind), organ=_find(organ[0]) if organ else None)
    if plain in table["structures"]:
        return ClassCodes(codes.SCT.AnatomicalStructure, _find(table["structures"][plain]))
    if side in ("left", "right") and rest in table["structures"]:
        return ClassCodes(
            codes.SCT.AnatomicalStructure, _find(table["structures"][rest]), getattr(codes.SCT, side.title())
        )
    own = Code(plain[:LONGEST] or "class", SCHEME, to_long_string(name))
    return ClassCodes(codes.SCT.Tissue, own)


@cache
def read_codes() -> dict[str, Any]:
    """Read the file of codes, once."""
    return read_yaml(FILE)


def to_long_string(text: str) -> str:
    r"""Return text as DICOM allows it in one value: at most `LONGEST` characters, no backslash, no control character.

    Example:
        >>> to_long_string("left\\right\nkidney")
        'left right kidney'
    """
    plain = "".join(one if one.isprintable() and one != "\\" else " " for one in text)
    return " ".join(plain.split())[:LONGEST] or "class"


def _find(keyword: str) -> Any:
    from pydicom.sr.codedict import codes

    try:
        return getattr(codes.SCT, keyword)
    except AttributeError as error:
        raise ConfigError(f"{FILE}: pydicom has no code '{keyword}'.", "Correct the keyword.") from error
