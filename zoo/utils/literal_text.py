"""Texts that neither YAML nor OmegaConf may read as something else: "1e3", "no", "a: b", "${HOME}"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

_INTERPOLATION = re.compile(r"(\\*)\$\{")


class _QuotedDumper(yaml.SafeDumper):
    """Writes every text between quotes. Other readers of YAML know more words for numbers than PyYAML."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


_QuotedDumper.add_representer(str, _represent_text)


def dump_quoted(content: Mapping[str, Any]) -> str:
    r"""Return a configuration as YAML with every text between quotes.

    Example:
        >>> dump_quoted({"title": "1e3"})
        '"title": "1e3"\n'
    """
    return yaml.dump(dict(content), Dumper=_QuotedDumper, sort_keys=False)


def escape_interpolation(content: Any) -> Any:
    r"""Return texts, or a configuration with texts, so that OmegaConf reads "${" as these two characters.

    Example:
        >>> print(escape_interpolation("${HOME}"))
        \${HOME}
    """
    if isinstance(content, str):
        return _INTERPOLATION.sub(lambda found: 2 * found[1] + r"\${", content)
    if isinstance(content, Mapping):
        return {key: escape_interpolation(value) for key, value in content.items()}
    return [escape_interpolation(value) for value in content] if isinstance(content, list | tuple) else content
