"""The command that installs an extra of this package, as it works for the installation at hand."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]

_EXTRAS = {
    "app": ("starlette", "uvicorn"),
    "dicom": ("SimpleITK", "highdicom"),
    "export": ("onnx", "onnxscript", "onnxruntime"),
    "huggingface": ("huggingface_hub",),
    "kaggle": ("kagglehub",),
    "loggers": ("tensorboard", "wandb", "mlflow"),
    "report": ("jinja2", "matplotlib"),
    "slurm": ("submitit",),
    "synapse": ("synapseclient",),
    "xlsx": ("openpyxl",),
}
"""Extra of pyproject.toml -> the modules of its packages, as messages about a missing package name them."""


def advise_extra(extra: str) -> str:
    """Return how to install an extra: in place for a checkout, from the package index otherwise."""
    if (_ROOT / "pyproject.toml").is_file():
        return f"Run `pip install -e '.[{extra}]'` in {_ROOT}."
    return f"Run `pip install 'textseg-zoo[{extra}]'`."


def advise_missing(message: str) -> str:
    """Return how to install the package that a message misses; empty where no extra has it.

    Example:
        >>> advise_missing("No module named 'openpyxl'").startswith("Run `pip install")
        True
        >>> advise_missing("No module named 'mypackage'")
        ''
    """
    for extra, modules in _EXTRAS.items():
        if re.search(rf"\b({'|'.join(modules)})\b", message, re.IGNORECASE):
            return advise_extra(extra)
    return ""
