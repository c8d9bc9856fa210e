"""How many parameters each part of a model has. The rule is in `docs/glossary.md` under "text path"."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from zoo.encoders.staged_encoder import find_vision_encoders
from zoo.encoders.text import TextEncoder


def count_parameters(model: nn.Module) -> dict[str, int | None]:
    """Count the parameters of a model, in total and by part.

    A class of modules names in `text_path` those of its attributes that would be absent without text.

    Returns:
        total: All parameters, with those of a frozen text encoder.
        trainable: Those that training changes.
        vision: Those of the vision encoder; 0 for a model without a `VisionEncoder`.
        text_encoder: Those of the text encoder, frozen or not.
        text_path: Those that are trainable and would be absent without text: the attributes of `text_path`, and a text
            encoder that is trained, without the learned vector of the variant `no_text`. 0 without a text encoder; None
            if the model has one and no class declares a `text_path`.
        decoder: All parameters outside the vision encoder, the text encoder and the attributes of `text_path`.

    Raises:
        AttributeError: A `text_path` names an attribute that its module does not have.

    Example:
        >>> from zoo import make_facts
        >>> from zoo.models import UNet
        >>> counts = count_parameters(UNet(make_facts(["lesion"], patch=[32, 32]), channels=(4, 4, 4, 4, 4, 4)))
        >>> counts["text_path"], counts["total"] == counts["trainable"] == counts["vision"] + counts["decoder"]
        (0, True)
    """
    own = {id(weight): weight for weight in model.parameters()}
    encoders = [part for part in model.modules() if isinstance(part, TextEncoder)]
    frozen = sum(encoder.parameter_count() for encoder in encoders if encoder.frozen)
    of_encoders = {id(weight): weight for encoder in encoders for weight in encoder.parameters()}
    of_vision = {id(weight): weight for part in find_vision_encoders(model) for weight in part.parameters()}
    declared = [(part, name) for part in model.modules() for name in getattr(type(part), "text_path", ())]
    of_text = {
        id(weight): weight
        for part, name in declared
        if encoders or part is not model  # the model's own path is absent with its encoder; a part for training is not
        for weight in _parameters(getattr(part, name))
    }
    learned = {id(encoder.vector) for encoder in encoders if encoder.vector is not None}
    path = of_text | {key: weight for key, weight in of_encoders.items() if key not in learned}
    rest = [weight for key, weight in own.items() if not any(key in part for part in (of_vision, of_encoders, of_text))]
    return {
        "total": _count(own.values()) + frozen,
        "trainable": _count(weight for weight in own.values() if weight.requires_grad),
        "vision": _count(of_vision.values()),
        "text_encoder": _count(of_encoders.values()) + frozen,
        "text_path": None
        if encoders and not declared
        else _count(weight for weight in path.values() if weight.requires_grad),
        "decoder": _count(rest),
    }


def _parameters(part: object) -> Iterable[nn.Parameter]:
    """Return the parameters of an attribute: a module, a parameter, or None where an option leaves it out."""
    if isinstance(part, nn.Module):
        return part.parameters()
    return [part] if isinstance(part, nn.Parameter) else []


def _count(weights: Iterable[nn.Parameter]) -> int:
    return sum(weight.numel() for weight in weights)
