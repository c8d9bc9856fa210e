"""Fills templates of pages that hold their script and style, escape every text, and load nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from zoo.utils.hashing import hash_text


def render_page(
    template: Path,
    script: str,
    style: str,
    values: Mapping[str, Any],
    filters: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
) -> str:
    """Fill a template, which gets its script and style as text and the digest of the script for its policy.

    Args:
        template: The template; its folder holds the files.
        script: Name of the script in this folder.
        style: Name of the style sheet in this folder.
        values: The values of the template, by name.
        filters: Further filters of the template, by name.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    code, looks = ((template.parent / name).read_text(encoding="utf-8") for name in (script, style))
    digest = base64.b64encode(bytes.fromhex(hash_text(code))).decode()
    files = {"script": Markup(code), "style": Markup(looks)}  # noqa: S704 - our own files
    return environment.get_template(template.name).render({**values, **files, "digest": digest})
