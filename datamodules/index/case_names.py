"""Names of cases: made from paths, and checked before a file gets such a name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from datamodules.index.findings import Finding
from zoo.types import Case
from zoo.utils.hashing import hash_bytes, hash_text
from zoo.utils.safe_text import to_printable

LONGEST = 200
"""Most bytes of a name that is made from a path; `zoo.utils.safe_text` shortens the names of files."""

_LONGEST_FILE = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NO_FILE = re.compile(r"[/\\]|^\.?\.?$")
_RENAME = "Rename the file, for example with `convmv -f ENCODING -t utf8 -r --notest FOLDER`."


def normalise_name(name: str) -> str:
    """Return a name with composed characters (Unicode NFC); macOS stores some letters as a letter and a mark."""
    return unicodedata.normalize("NFC", name)


def nifti_stem(path: Path) -> str:
    """Return the name of a NIfTI file without its suffix, with composed characters."""
    return normalise_name(re.sub(r"(\.nii)?(\.gz)?$", "", path.name, flags=re.IGNORECASE))


def join_path(path: str) -> str:
    """Return the name of a case from its whole path without suffix: "a/b.png" becomes "a-b".

    A name that is too long keeps its end, after a hash of the whole, so that it stays unique.
    """
    bare = re.sub(r"\.nii\.gz$", ".nii", path, flags=re.IGNORECASE)
    file = Path(bare)
    name = normalise_name(re.sub(r"[/\\]+", "-", str(file.with_suffix("") if file.name else "")).strip("-"))
    encoded = name.encode("utf-8", "surrogatepass")
    if len(encoded) <= LONGEST:
        return name
    end = encoded[-(LONGEST // 2) :].decode("utf-8", "ignore")
    return f"{hash_bytes([encoded])[:8]}-{end.lstrip('-')}"


def name_by_path(paths: Sequence[str], stems: Sequence[str]) -> list[str]:
    """Return the names of cases: the stems of their files, or whole paths where two files have the same stem.

    Example:
        >>> name_by_path(["p1/ct.nii.gz", "p2/ct.nii.gz"], ["ct", "ct"])
        ['p1-ct', 'p2-ct']
    """
    return list(stems) if len(set(stems)) == len(set(paths)) else join_paths(paths)


def join_paths(paths: Sequence[str]) -> list[str]:
    """Return the names of cases from their whole paths; names that two files would share get a hash of the path.

    Example:
        >>> join_paths(["a/b.png", "a/c.png"])
        ['a-b', 'a-c']
    """
    files: dict[str, set[str]] = {}
    plain = [normalise_name(str(Path(path))) for path in paths]
    for path in plain:
        files.setdefault(join_path(path), set()).add(path)
    return [join_path(path) + (f"-{hash_text(path)[:8]}" if len(files[join_path(path)]) > 1 else "") for path in plain]


def find_unusable_name(case: Case) -> Finding | None:
    """Find a name that no file can have, before a run has trained for hours; None where all names are usable."""
    problem, fix = _name_problem(str(case.key)) or _file_problem(case.images, case.label) or ("", "")
    if not problem:
        return None
    where = to_printable(str(case.images[0])) if case.images else to_printable(case.case_id)
    return Finding(to_printable(case.case_id), where, "unusable_name", f"{where}: {problem}.", fix)


def _name_problem(name: str) -> tuple[str, str] | None:
    """What is wrong with the name of a case, and what to do; None for a name that a file can have."""
    if not _is_utf8(name):
        return "the name is not in UTF-8", _RENAME
    if _CONTROL.search(name) or _NO_FILE.search(name):
        return (
            f"'{to_printable(name)}' cannot be the name of a file",
            "Rename it, without control characters and slashes.",
        )
    return None


@lru_cache(maxsize=1)  # the queries of an image follow each other
def _file_problem(images: tuple[Path, ...], label: Path | None) -> tuple[str, str] | None:
    for path in (*images, *([label] if label else [])):
        if not _is_utf8(str(path)):
            return f"the path {to_printable(str(path))} is not in UTF-8", _RENAME
        longest = max((len(part.encode()) for part in path.parts), default=0)
        if longest > _LONGEST_FILE:
            return f"a part of the path has {longest} bytes, more than {_LONGEST_FILE}", "Correct the path."
        if "\0" in str(path):
            return "a path with a NUL character", "Correct the path."
    return None


def _is_utf8(text: str) -> bool:
    """Whether a name can be written in UTF-8. Python marks the bytes of other encodings as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
