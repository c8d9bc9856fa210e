"""MedCLIPSeg: image and text run through two encoders in step, and adapters between the blocks let each read the other.

Koleilat et al., "MedCLIPSeg: probabilistic vision-language adaptation for data-efficient and generalizable medical
image segmentation" (CVPR 2026). The released code is under Apache-2.0. `docs/models/medclipseg.md` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.plain_vit import PlainViT
from zoo.encoders.text import build_text_encoder
from zoo.encoders.text_backbone import Embedded
from zoo.errors import ConfigError
from zoo.layers.noise import seed_noise
from zoo.layers.query import add_zero_background
from zoo.layers.tokens import crop_to, pad_to_two_places, resize, to_map
from zoo.losses.contrastive import EmbeddingPairs, text_ids
from zoo.losses.distributed import gather_rows
from zoo.models.base import SegModule, text_of
from zoo.models.medclipseg.layers import Adapter, soft_contrast, up_step
from zoo.models.output import Output
from zoo.models.read_text import not_compiled, prompt_strings, read_rows
from zoo.text.model_inputs import class_prompts
from zoo.types import Batch, Text
from zoo.utils.class_args import as_group


@dataclass(frozen=True)
class MedCLIPSegReleased:
    """Switches that restore the behaviour of MedCLIPSeg's released code.

    Attributes:
        tokens: None: text of any length, padding masked. 256: each text is cut or padded to 256 tokens, and the image
            reads the padding too.
        flat_targets: The contrast compares texts that have no unit length, and its targets are nearly uniform.

    Example:
        >>> MedCLIPSegReleased(tokens=256)
        MedCLIPSegReleased(tokens=256, flat_targets=False)
    """

    tokens: int | None = None
    flat_targets: bool = False


class MedCLIPSeg(SegModule):
    """Two encoders that run in step, with adapters between their blocks, and a kernel that the sentence makes.

        logit(x) = <MLP(t / |t|), up(f(x) / |f(x)|)>

    with the tokens f of the image and the sentence t after all blocks. Both run once per class, because each changes
    the other. Where the classes are exclusive, the logit of the background is 0.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze the text encoder. None keeps the encoder's own default.
        vision_weights: Pre-trained weights of the vision transformer, in 2D; see `PlainViT`.
        freeze_vision: Freeze the vision transformer. None: freeze it where its weights are pre-trained.
        width: Channels of the vision transformer.
        depth: Blocks of the vision transformer. The layers of the text encoder are spread evenly over them.
        heads: Heads of the vision transformer.
        patch: Places of the image per token and axis.
        places: Learned positions of the vision transformer per axis.
        projected: Channels of image and sentence behind the encoders.
        levels: Numbers of the blocks, from 0, before which an adapter runs; without one, only the sentence is read.
        adapter_width: Channels of an adapter.
        beta: Weight of the variance of a key.
        gate: Start value of the logit of the gate of an adapter (the release has -0.02 for QaTa-COV19).
        probabilistic: False is an ablation: keys and values have no variance.
        samples: Draws of the noise in evaluation, whose probabilities are averaged (30 in the release); 0: none, and
            every value is its mean. The draws are the same for each image.
        up_steps: Steps to twice the resolution of the tokens.
        contrast: Weight of the soft contrast between images and sentences.
        temperature: Divides the cosines of the contrast.
        released: Switches that restore the behaviour of the released code.
        **kwargs: See `SegModule`.

    Raises:
        ConfigError: `levels` names no block, or see `PlainViT`.

    Example:
        >>> from zoo import make_facts
        >>> small = {"width": 16, "depth": 2, "heads": 2, "patch": 8, "projected": 8, "levels": [1], "adapter_width": 8}
        >>> model = MedCLIPSeg(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", **small)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_terms: ClassVar[tuple[str, ...]] = ("contrast",)
    text_path: ClassVar[tuple[str, ...]] = ("adapters", "sentence", "kernel")

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "pubmedbert",
        freeze_text: bool | None = None,
        vision_weights: str = "",
        freeze_vision: bool | None = None,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        patch: int = 16,
        places: int = 14,
        projected: int = 512,
        levels: Sequence[int] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
        adapter_width: int = 256,
        beta: float = 2.35,
        gate: float = 0.0,
        probabilistic: bool = True,
        samples: int = 0,
        up_steps: int = 2,
        contrast: float = 0.1,
        temperature: float = 0.2,
        released: MedCLIPSegReleased = MedCLIPSegReleased(),
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        dims, channels = self.facts.spatial_dims, self.facts.in_channels
        if not set(levels) <= set(range(depth)):
            raise ConfigError(
                f"--model.levels {list(levels)}: the vision transformer has the blocks 0 to {depth - 1}.",
                "Give some of their numbers.",
            )
        self.released = as_group(MedCLIPSegReleased, released)
        self.stride, self.samples, self.temperature = patch, samples, temperature
        self.term_weights["contrast"] = contrast
        self.text = build_text_encoder(encoder, freeze_text, self.released.tokens)
        sizes = (width, depth, heads, patch, places)
        self.vision = PlainViT(dims, channels, *sizes, vision_weights, freeze_vision, projected)
        self.text_layers = [block * self.text.depth // depth for block in range(depth + 1)]
        options = {"beta": beta, "gate": gate, "probabilistic": probabilistic}
        self.adapters = nn.ModuleDict(
            {str(level): Adapter((width, self.text.width), adapter_width, **options) for level in sorted(levels)}
        )
        self.first = min(levels, default=depth)
        self.sentence = nn.Linear(self.text.width, projected)
        layers = [module for _ in range(3) for module in (nn.GELU(), nn.Linear(projected, projected))]
        self.kernel = nn.Sequential(*layers[1:])
        self.up = nn.Sequential(*[up_step(dims, projected) for _ in range(up_steps)])

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits, and per image and class the mean of its tokens and its sentence, for the contrast."""
        hidden, mask = self._read(text, image)
        if self.training or not self.samples:
            return self._segment(image, hidden, mask)
        draws = []
        for draw in range(self.samples):
            with seed_noise(self, draw):
                draws.append(self._segment(image, hidden, mask).logits)
        stacked = torch.stack(draws)
        if self.facts.labels.exclusive:
            return Output(stacked.log_softmax(dim=2).logsumexp(dim=0))
        return Output(F.logsigmoid(stacked).logsumexp(dim=0) - F.logsigmoid(-stacked).logsumexp(dim=0))

    @not_compiled
    def _read(self, text: Text, image: Tensor) -> Embedded:
        """Return the tokens of the sentences [B * K, L, W] before the first adapter, and their mask."""
        hidden, mask, _ = read_rows(self.text, text, image, prompt_strings, self.text_layers[self.first])
        return Embedded(hidden, mask)

    def _segment(self, image: Tensor, hidden: Tensor, mask: Tensor) -> Output:
        """Run both encoders in step, and the head. K classes of an image are K rows."""
        padded = pad_to_two_places(image, self.stride)
        tokens = self.vision.embed(padded)
        for block in self.vision.blocks[: self.first]:
            tokens = block(tokens)
        tokens = tokens.repeat_interleave(hidden.shape[0] // image.shape[0], dim=0)
        seen = mask if self.released.tokens is None else None
        for number, block in enumerate(self.vision.blocks[self.first :], self.first):
            if str(number) in self.adapters:
                tokens, hidden = self.adapters[str(number)](tokens, hidden, seen)
            tokens = block(tokens)
            hidden = self.text.run_layers(hidden, mask, *self.text_layers[number : number + 2])
        features = F.normalize(self.vision.project(tokens)[:, 1:], dim=-1)
        sentence = self.sentence(self.text.finish(hidden, mask).pooled)
        feature = self.up(to_map(features, [size // self.stride for size in padded.shape[2:]]))
        logits = torch.einsum("bc,bc...->b...", self.kernel(F.normalize(sentence, dim=-1)), feature)
        logits = logits.unflatten(0, (image.shape[0], -1))
        logits = crop_to(resize(logits, padded.shape[2:]), image.shape[2:])
        logits = add_zero_background(logits, self.facts.labels.exclusive)
        return Output(logits, {"visual": features.mean(dim=1), "textual": sentence})

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice, cross entropy and the soft contrast of the pairs of all ranks."""
        losses = super().compute_losses(batch, output)
        prompts = class_prompts(self.readable(text_of(batch)), len(batch["image"]))
        visual, textual = output.extra["visual"], output.extra["textual"]
        ids = text_ids([prompt.sentence for prompt in chain(*prompts)], visual.device)
        visual, textual, ids = gather_rows(visual, textual, ids)
        units = F.normalize(textual, dim=-1)
        if len(ids.unique()) < 2:
            self.log_absent_term("contrast")
            return losses
        self.watch_retrieval(EmbeddingPairs(F.normalize(visual, dim=-1), units, ids))
        losses["contrast"] = soft_contrast(
            visual, textual if self.released.flat_targets else units, self.temperature, self.released.flat_targets
        )
        return losses
