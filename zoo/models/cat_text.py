"""CAT with its text prompts alone: learned queries and texts read the image, and each query reads its own text.

Huang et al., "CAT: Coordinating anatomical-textual prompts for multi-organ and tumor segmentation" (NeurIPS 2024).
Written from a description of the released code, which has no licence. `docs/models/cat_text.md` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.layers.attention import Attention, mlp
from zoo.layers.query import prepend_background
from zoo.layers.tokens import crop_to, pad_to_two_places, to_tokens
from zoo.models.output import Output
from zoo.models.read_text import read_prompts
from zoo.models.text_unet import TextUNet
from zoo.types import Batch, Text

SMOOTHING = 0.1
"""Label smoothing of the contrast, as released."""


class Refiner(nn.Module):
    """Tokens that read a memory and each other, with norms after the additions.

        y = t + CA(t, m),  x = t + LN(y + W y),  z = x + SA(x),  u = LN(z + W' z),  u = u + W'' LN(u)

    with networks W of two layers, of which those within a norm start with one.

    Args:
        width: Channels of tokens and memory.
        heads: Heads of both attentions.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.cross_attention, self.self_attention = Attention(width, heads), Attention(width, heads)
        self.cross_feed, self.self_feed, self.out = (nn.Sequential(nn.LayerNorm(width), *mlp(width)) for _ in range(3))
        self.cross_norm, self.self_norm = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, tokens: Tensor, memory: Tensor, own: bool = False) -> Tensor:
        """Refine tokens [B, N, d] by a memory [B, M, d]; with `own`, token i reads place i of the memory alone."""
        if own:
            one, other = tokens.flatten(0, 1)[:, None], memory.flatten(0, 1)[:, None]
            read = self.cross_attention(one, other, other).view_as(tokens)
        else:
            read = self.cross_attention(tokens, memory, memory)
        x = tokens + read
        x = tokens + self.cross_norm(x + self.cross_feed(x))
        x = x + self.self_attention(x, x, x)
        x = self.self_norm(x + self.self_feed(x))
        out: Tensor = x + self.out(x)
        return out


def project(inputs: int, width: int) -> nn.Sequential:
    """Build a linear layer, a GELU and a layer norm."""
    return nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.LayerNorm(width))


class CATText(TextUNet):
    """The model `unet` with a learned query per class, which reads the encoder maps and the text of its class.

        q, t = refine(P q, e), refine(P' t, e) for each encoder map e, deepest first;  q_k = refine(P'' q_k, t_k)
        logit_k(x) = <LN(W q_k), f(x)>

    with the pooled embeddings t of the class prompts, the last feature map f and projections P. Queries and texts share
    the weights of `refine` (`Refiner`) at a map. Where the classes are exclusive, the background has a query, and a
    learned vector as its text. A contrast tells which query and text are of the same class.

    Args:
        facts: See `SegModule`.
        heads: Heads of the attentions.
        contrast: Weight of the contrast between queries and texts of the classes. One class has no contrast.
        temperature: Start value of the learned temperature of the contrast.
        **kwargs: See `TextUNet`.

    Example:
        >>> from zoo import make_facts
        >>> model = CATText(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", channels=[8] * 6)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_terms: ClassVar[tuple[str, ...]] = ("contrast",)
    text_path: ClassVar[tuple[str, ...]] = (
        *("queries", "background", "query_in", "text_in", "refiners", "refer_in", "refer", "weight"),
        *("contrast_query", "contrast_text", "temperature"),
    )

    def __init__(
        self,
        facts: Mapping[str, Any],
        heads: int = 8,
        contrast: float = 1.0,
        temperature: float = 0.05,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        labels = self.facts.labels
        self.levels = self.vision.text_levels[::-1]
        widths = [self.vision.widths[level] for level in self.levels]
        first, last = widths[0], widths[-1]
        self.head = nn.Identity()
        self.queries = nn.Parameter(torch.randn(labels.channels, first))
        self.background = nn.Parameter(torch.randn(1, self.text.width)) if labels.exclusive else None
        before = [first, *widths[:-1]]
        self.query_in = nn.ModuleList(project(*pair) for pair in zip(before, widths, strict=True))
        texts = [self.text.width, *widths[:-1]]
        self.text_in = nn.ModuleList(project(*pair) for pair in zip(texts, widths, strict=True))
        self.refiners = nn.ModuleList(Refiner(width, heads) for width in widths)
        self.refer_in, self.refer = project(last, last), Refiner(last, heads)
        self.weight = nn.Sequential(nn.Linear(last, self.decoder.width), nn.LayerNorm(self.decoder.width))
        contrasted = labels.channels > 1
        self.contrast_query = nn.Linear(last, last) if contrasted else None
        self.contrast_text = nn.Linear(last, last) if contrasted else None
        self.temperature = nn.Parameter(torch.tensor(temperature)) if contrasted else None
        self.term_weights |= {"contrast": contrast}

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits, and `cosines`: of each query and text, [B, N, N]; None for one class."""
        texts = read_prompts(self.text, text, image)
        texts = prepend_background(self.background, texts)
        queries = self.queries.repeat(image.shape[0], 1, 1)
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        for step, level in enumerate(self.levels):
            memory = to_tokens(maps[level])
            queries = self.refiners[step](self.query_in[step](queries), memory)
            texts = self.refiners[step](self.text_in[step](texts), memory)
        queries = self.refer(self.refer_in(queries), texts, own=True)
        logits = torch.einsum("bkc,bc...->bk...", self.weight(queries), self.decoder(maps))
        cosines = None
        if self.contrast_query is not None and self.contrast_text is not None:
            pair = self.contrast_query(queries), self.contrast_text(texts)
            cosines = F.normalize(pair[0], dim=-1) @ F.normalize(pair[1], dim=-1).mT
        return Output(crop_to(logits, image.shape[2:]), {"cosines": cosines})

    def compute_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice, cross entropy and, with several classes, the contrast."""
        losses = super().compute_losses(batch, output)
        cosines = output.extra["cosines"]
        if cosines is not None:
            losses["contrast"] = match_classes(cosines / self.temperature)
        return losses


def match_classes(similarity: Tensor) -> Tensor:
    """Compute the symmetric cross entropy of N queries and N texts, of which the i-th ones match: [B, N, N] -> []."""
    target = torch.arange(similarity.shape[1], device=similarity.device).expand(len(similarity), -1)
    rows, columns = (F.cross_entropy(one, target, label_smoothing=SMOOTHING) for one in (similarity, similarity.mT))
    return (rows + columns) / 2
