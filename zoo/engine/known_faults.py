"""Faults of libraries that change a result or fill a GPU, by version."""

from __future__ import annotations

_WRONG = (90800, 91300)
_LARGE = (90800, 91500)
"""Versions of cuDNN, as torch gives them (91002 is 9.10.2): the first with a fault, and the first without it."""


def describe_cudnn_fault(version: int | None, precision: str, spatial_dims: int) -> str:
    """Describe what a version of cuDNN does wrong in a training of volumes in bfloat16; empty where nothing is known.

    Sources: github.com/pytorch/pytorch/issues/163539 (wrong results on large volumes, seen with 9.8 and 9.10.2, not
    with 9.13) and issues/166643 (three times the memory, until 9.15).

    Args:
        version: `torch.backends.cudnn.version()`; None without cuDNN.
        precision: The precision of the trainer.
        spatial_dims: The number of axes of an image.

    Example:
        >>> describe_cudnn_fault(92000, "bf16-mixed", 3)
        ''
    """
    if version is None or spatial_dims != 3 or not precision.startswith("bf16"):
        return ""
    shown = f"cuDNN {version // 10000}.{version // 100 % 100}.{version % 100}"
    mend = "Install cuDNN 9.15 or later (`pip install -U nvidia-cudnn-cu12` or `-cu13`), or use --precision 32-true."
    if _WRONG[0] <= version < _WRONG[1]:
        return f"{shown} computes wrong 3D convolutions of large volumes in bfloat16 (pytorch#163539). {mend}"
    if _LARGE[0] <= version < _LARGE[1]:
        return f"{shown} may take three times the memory for 3D convolutions in bfloat16 (pytorch#166643). {mend}"
    return ""
