"""Repositories of hosts that give files by the user's own token: what a source file says of one. No torch here.

A source file (`configs/sources/NAME.yaml`) lists them under `repositories`; a set needs a few lines:

    repositories:
      - host: huggingface        # or kaggle, synapse, zenodo
        repository: OWNER/NAME   # synapse: synNNN; zenodo: the number of the record
        revision: main           # kaggle: the number of the version
        patterns: ["*.zip"]      # files to get; `*` also matches `/`
        gated: true              # the terms must be accepted by the account
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

_NAMED = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"
_FORMS = {"huggingface": _NAMED, "kaggle": _NAMED, "synapse": r"syn\d+", "zenodo": r"\d+"}
_REVISIONS = {"huggingface": r"[\w./-]*", "kaggle": r"\d*", "synapse": r"\d*", "zenodo": ""}
_PAGES = {
    "huggingface": "https://huggingface.co/datasets/{}",
    "kaggle": "https://www.kaggle.com/datasets/{}",
    "synapse": "https://www.synapse.org/Synapse:{}",
    "zenodo": "https://zenodo.org/records/{}",
}
LOGINS = {
    "huggingface": "Run `hf auth login`, or set HF_TOKEN.",
    "kaggle": "Make a token at https://www.kaggle.com/settings, then set KAGGLE_API_TOKEN or save kaggle.json.",
    "synapse": "Make a token with the scopes view and download at https://www.synapse.org, and set SYNAPSE_AUTH_TOKEN.",
    "zenodo": "Open its page: a record that is not public cannot be downloaded by this command.",
}
"""How the user shows who they are, per host."""

HOSTS = tuple(_FORMS)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of a host.

    Attributes:
        host: One of `HOSTS`.
        repository: Its name there: "OWNER/NAME", "synNNN" of a file or folder, or the number of a record.
        revision: Branch, tag or commit (huggingface), number of the version (kaggle, synapse). Empty: the newest of the
            day of the first download, which is kept from then on.
        patterns: The files to get, as patterns of paths, in which `*` also matches `/`. Empty for `kaggle`: all files.
        cases: Further patterns, each of whose files is one case: `--cases N` gets N of each pattern, and of several
            patterns those of the same names.
        gated: Whether an account must accept terms. Then a missing token is an error before anything is requested.

    Example:
        >>> Repository("zenodo", "10047292", patterns=("*.zip",)).page
        'https://zenodo.org/records/10047292'
    """

    host: str
    repository: str
    revision: str = ""
    patterns: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    gated: bool = False

    def __post_init__(self) -> None:
        """Check every attribute.

        Raises:
            ValueError: An attribute has a wrong form.
        """
        if self.host not in HOSTS:
            raise ValueError(f"host '{self.host}' is not one of {', '.join(HOSTS)}")
        if not re.fullmatch(_FORMS[self.host], self.repository) or ".." in self.repository:
            raise ValueError(f"'{self.repository}' is no repository of {self.host}")
        if not re.fullmatch(_REVISIONS[self.host], self.revision):
            raise ValueError(f"{self.label}: '{self.revision}' is no revision of {self.host}")
        if not all(isinstance(pattern, str) and pattern for pattern in (*self.patterns, *self.cases)):
            raise ValueError(f"{self.label}: patterns and cases are lists of texts")
        if not isinstance(self.gated, bool):
            raise ValueError(f"{self.label}: gated is true or false")

    @property
    def label(self) -> str:
        """Host and name, for messages and receipts."""
        return f"{self.host} {self.repository}"

    @property
    def page(self) -> str:
        """The page of the repository, where terms are accepted."""
        return _PAGES[self.host].format(self.repository)

    @property
    def login(self) -> str:
        """What the user does who is refused: accept the terms, and show who they are."""
        return f"Accept the terms at {self.page}. {LOGINS[self.host]}" if self.gated else LOGINS[self.host]


class RemoteFile(NamedTuple):
    """A file of a repository, as its host describes it.

    Attributes:
        path: Path in the repository.
        size: Size in bytes; None where the host does not say.
        tag: What the host says of the content: a checksum, an ETag or a version.
        url: Address, where the file is downloaded over https.
        sha256: SHA-256 by the host; empty for none.
        md5: MD5 by the host; empty for none.
        git: SHA-1 of the content as a git object, by the host; empty for none.
        key: What the host's own library calls the file.
    """

    path: str
    size: int | None = None
    tag: str = ""
    url: str = ""
    sha256: str = ""
    md5: str = ""
    git: str = ""
    key: str = ""


def parse_repository(content: Mapping[str, Any]) -> Repository:
    """Make a repository from an entry of a source file. Numbers may stand without quotes.

    Raises:
        ValueError: A key is unknown or missing, or a value has a wrong form.
    """
    known = {field.name for field in fields(Repository)}
    if not isinstance(content, Mapping) or not {"host", "repository"} <= content.keys() <= known:
        raise ValueError(f"repositories: an entry has host and repository, and may have {', '.join(sorted(known))}")
    rest: dict[str, Any] = dict(content)
    for key in ("patterns", "cases"):
        value = rest.get(key, [])
        if not isinstance(value, list):
            raise ValueError(f"repositories: {key} is not a list")
        rest[key] = tuple(value)
    return Repository(**{**rest, "repository": str(rest["repository"]), "revision": str(rest.get("revision") or "")})


def is_exact(pattern: str) -> bool:
    """Return whether a pattern is the path of one file."""
    return not re.search(r"[*?\[]", pattern)


def is_archive(path: str) -> bool:
    """Return whether the name of a file is that of an archive, which is unpacked."""
    return path.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"))


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Return whether a path matches one of some patterns.

    Example:
        >>> matches("CT/set/a.npz", ["CT/*.npz"]), matches("CT/a.txt", ["*.npz"])
        (True, False)
    """
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def find_missing(patterns: Iterable[str], paths: Collection[str]) -> str:
    """Return the first pattern that no path matches; empty where there is none. There may be thousands of exact paths.

    Example:
        >>> find_missing(["a.json", "ct/*"], {"a.json"})
        'ct/*'
    """
    known = set(paths)
    unmatched = (one for one in patterns if one not in known)
    return next((one for one in unmatched if not any(matches(path, [one]) for path in known)), "")


def draw_order(names: Iterable[str]) -> list[str]:
    """Sort names by their hash: the first N are a draw that stays part of the first N + 1, on every machine."""
    return sorted(names, key=lambda name: (hashlib.sha256(name.encode()).hexdigest(), name))


def choose_cases(files: Sequence[RemoteFile], repository: Repository, cases: int | None) -> list[RemoteFile]:
    """Keep the files of `patterns`, and of those of `cases` the given number; None for all."""
    if cases is None or not repository.cases:
        return list(files)
    kept = {file.path for file in files if matches(file.path, repository.patterns)}
    for pattern in repository.cases:
        paths = [file.path for file in files if matches(file.path, [pattern])]
        names = set(draw_order({path.rpartition("/")[2] for path in paths})[:cases])
        kept |= {path for path in paths if path.rpartition("/")[2] in names}
    return [file for file in files if file.path in kept]
