"""CLIPSeg against the implementation in transformers: the logits on equal weights, and the size of the decoder."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from timm.data import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD
from torch import Tensor, nn
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation

from tests.helpers.formula_weights import fill, formula
from tests.helpers.no_weights import no_weights
from zoo import make_facts
from zoo.models import CLIPSeg
from zoo.types import Text

TEXT, LEVELS = 64, (1, 2, 4)
NAMES = {
    "clip.vision_model.embeddings.patch_embedding": "vision.patch_embed.proj",
    "clip.vision_model.pre_layrnorm": "vision.norm_pre",
    "clip.vision_model.encoder.layers": "vision.blocks",
    "decoder.film_mul": "scale",
    "decoder.film_add": "shift",
    "decoder.transposed_convolution": "head",
    "decoder.": "",
}
OF_VISION = {
    "self_attn.in_proj": "attn.qkv",
    "self_attn.out_proj": "attn.proj",
    "layer_norm": "norm",
    "mlp.out": "mlp.fc2",
    "mlp.in": "mlp.fc1",
}
OF_DECODER = {
    "self_attn.in_proj.": "self_attn.in_proj_",
    "layer_norm": "norm",
    "mlp.out": "linear2",
    "mlp.in": "linear1",
}


def weights_of(theirs: nn.Module) -> dict[str, Tensor]:
    """Return the weights of transformers' CLIPSeg under our names. Query, key and value are one weight here."""
    state: dict[str, Tensor] = theirs.state_dict()
    embedding = "clip.vision_model.embeddings."
    found = {
        "vision.cls_token": state[f"{embedding}class_embedding"].view(1, 1, -1),
        "vision.pos_embed": state[f"{embedding}position_embedding.weight"][None],
    }
    for name in state:
        begin = next((start for start in NAMES if name.startswith(start)), None)
        if begin is None or ".k_proj." in name or ".v_proj." in name:
            continue
        mine = NAMES[begin] + name.removeprefix(begin)
        mine = mine.replace("q_proj", "in_proj").replace("mlp.fc1", "mlp.in").replace("mlp.fc2", "mlp.out")
        for old, new in (OF_VISION if mine.startswith("vision.") else OF_DECODER).items():
            mine = mine.replace(old, new)
        parts = ("q_proj", "k_proj", "v_proj") if ".q_proj." in name else ("q_proj",)
        found[mine] = torch.cat([state[name.replace("q_proj", part)] for part in parts])
    return found


@pytest.mark.parametrize("size", [(64, 64), (96, 96)])
def test_the_logits_are_those_of_transformers(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The learned positions are those of 64x64; 96x96 resamples them."""
    vision = {"hidden_size": 32, "intermediate_size": 128, "num_hidden_layers": 5, "num_attention_heads": 4}
    config = CLIPSegConfig(
        text_config={"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1},
        vision_config={**vision, "image_size": 64, "patch_size": 16},
        projection_dim=TEXT,
        extract_layers=list(LEVELS),
        reduce_dim=8,
        decoder_num_attention_heads=4,
        decoder_intermediate_size=24,
        use_complex_transposed_convolution=True,
    )
    theirs: Any = CLIPSegForImageSegmentation(config).eval()
    fill(theirs)
    facts = make_facts(["lesion"], patch=[64, 64], in_channels=3)
    decoder: dict[str, Any] = {"levels": LEVELS, "reduce_width": 8, "hidden": 24}
    model = CLIPSeg(facts, encoder="tiny", width=32, heads=4, patch=16, places=4, **decoder).eval()
    found = model.load_state_dict(weights_of(theirs), strict=False)
    assert not [name for name in found.missing_keys if not name.startswith("text.")]
    assert not found.unexpected_keys
    sentence, image = formula("sentence", 2, TEXT), formula("image", 2, 3, *size)
    monkeypatch.setattr("zoo.models.clipseg.read_prompts", lambda *_: sentence[:, None])
    with torch.no_grad():
        expected = theirs(pixel_values=image, conditional_embeddings=sentence).logits
        logits = model(image, Text(model.facts.prompts))[:, 0]
    assert bool(expected.std() > 0.01)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_the_decoder_has_the_parameters_of_the_released_one() -> None:
    """Of `rd64-refined`, whose tokens have 16x16 places."""
    with no_weights():
        model = CLIPSeg(make_facts(["lesion"], patch=[224, 224]), vision_weights="a/repository")
    counts = model.count_parameters()
    assert (counts["decoder"] or 0) + (counts["text_path"] or 0) == model.params_trainable == 1_127_009


def test_pre_trained_weights_get_images_with_the_statistics_of_clip() -> None:
    with no_weights("cpu"):
        model = CLIPSeg(
            make_facts(["lesion"], patch=[32, 32], in_channels=3), "tiny", vision_weights="a/repository", levels=[0]
        )
    assert not any(weight.requires_grad for weight in model.vision.parameters())
    imagenet = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
    colours = torch.rand(1, 3, 2, 2)
    given = (colours - imagenet[0]) / imagenet[1] * model.vision.scale + model.vision.shift
    mean, deviation = (torch.tensor(one).view(-1, 1, 1) for one in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
    torch.testing.assert_close(given, (colours - mean) / deviation)


def test_the_mask_of_a_class_does_not_depend_on_the_other_classes() -> None:
    torch.manual_seed(0)
    small: dict[str, Any] = {"width": 16, "heads": 2, "patch": 8, "levels": [0, 1], "reduce_width": 8, "hidden": 16}
    model = CLIPSeg(make_facts(["liver", "spleen"], patch=[32, 32]), "tiny", **small).eval()
    image, (liver, spleen) = torch.randn(2, 1, 32, 32), model.facts.prompts
    with torch.no_grad():
        both, swapped = (model(image, Text(prompts)) for prompts in ((liver, spleen), (spleen, liver)))
    torch.testing.assert_close(both, swapped[:, [0, 2, 1]], atol=1e-5, rtol=1e-4)
    assert not both[:, 0].any(), "the background"
    assert bool((both[:, 1] - both[:, 2]).abs().max() > 1e-4)
