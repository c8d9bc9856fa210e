"""What RecLMIS trains beside the mask: tokens of one modality reconstructed from the other, and their similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from zoo.layers.attention import ExchangeLayer
from zoo.layers.tokens import positions, sequence_positions
from zoo.losses.contrastive import contrast_similarities
from zoo.losses.distributed import gather_rows

_NO_WEIGHT = 1e-10  # the weight of padding, whose logarithm is finite


class Tokens(NamedTuple):
    """Tokens of one modality.

    Attributes:
        first: The tokens before the exchange, [B, N, C].
        changed: The tokens after the exchange, [B, N, C].
        mask: [B, N], True for a real token.
    """

    first: Tensor
    changed: Tensor
    mask: Tensor


class Weigher(nn.Module):
    """The weight of each token: a softmax over the real tokens. The last layer has no bias, which would cancel.

    Args:
        width: Channels of a token.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1, bias=False))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Compute the weights [B, N] of tokens [B, N, C]; those of padding are 0."""
        weights: Tensor = self.score(tokens)[..., 0].masked_fill(~mask, -torch.inf).softmax(1)
        return weights


class WordsAfterExchange(nn.Module):
    """A convolution along the text, a norm and ReLU, on real tokens only.

    Args:
        width: Channels of a token.
        batch_norm: Normalise each channel over all tokens of the batch, as released. False: each token by itself.
    """

    def __init__(self, width: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm1d(width) if batch_norm else nn.LayerNorm(width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Change tokens [B, N, C]; those of padding are 0."""
        mixed = self.conv(torch.where(mask[..., None], tokens, 0.0).transpose(1, 2)).transpose(1, 2)
        return torch.zeros_like(mixed).index_put((mask,), self.norm(mixed[mask]).relu().to(mixed.dtype))


class Reconstructor(nn.Module):
    """Reconstructs masked tokens of one modality from the weighed tokens of the other one.

    Args:
        width: Channels of a token.
        layers: Layers of the source, and of the tokens that are reconstructed.
        heads: Most heads of an attention; fewer where they do not divide the width.
        dropout: Share of values that are set to zero in training.
        causal: A token reads no later one of its own modality, as released.
    """

    def __init__(self, width: int, layers: int, heads: int, dropout: float, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        options = (width, heads, 2 * width, dropout)
        self.source_layers = nn.ModuleList(ExchangeLayer(*options, alone=True) for _ in range(layers))
        self.layers = nn.ModuleList(ExchangeLayer(*options) for _ in range(layers))

    def forward(
        self, source: Tensor, weights: Tensor, source_place: Tensor, tokens: Tensor, place: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Compute the tokens [B, N, C].

        Args:
            source: Tokens of the other modality, [B, M, C].
            weights: Factors of their shares in every attention, [B, M].
            source_place: Their positions.
            tokens: Tokens of which some are 0, [B, N, C].
            place: Their positions.
            mask: [B, N], True for a real token; None for all.
        """
        bias = (weights + _NO_WEIGHT).log()  # a factor of a share is a summand of its score
        for layer in self.source_layers:
            source = layer(source, source_place, bias, causal=self.causal)
        for layer in self.layers:
            tokens = layer(tokens, place, mask, source, source_place, bias, causal=self.causal)
        return tokens


@torch.no_grad()
def choose_tokens(weights: Tensor, mask: Tensor, share: float, drawn: bool) -> Tensor:
    """Choose a share of the real tokens of each sample, at least one.

    Args:
        weights: Weights of the tokens, [B, N], with the sum 1.
        mask: [B, N], True for a real token.
        share: Share of the real tokens.
        drawn: True: drawn without replacement, with the weights as probabilities. False: the heaviest.

    Returns:
        [B, N], True for a chosen token.
    """
    # the largest weights divided by exponential noise are such a draw (Kool et al., ICML 2019)
    score = weights / torch.empty_like(weights).exponential_() if drawn else weights
    order = score.masked_fill(~mask, -torch.inf).argsort(1, descending=True).argsort(1)
    number = (mask.sum(1, keepdim=True) * share).long().clamp(min=1)
    return order < number


def compare_tokens(
    words: Tensor, word_weights: Tensor, mask: Tensor, image: Tensor, image_weights: Tensor, padding: float = -1.0
) -> Tensor:
    """Compute the similarity of each image and each text: weighed means of each token's nearest token.

    Args:
        words: [A, L, C].
        word_weights: [A, L].
        mask: [A, L], True for a real token.
        image: [B, N, C].
        image_weights: [B, N].
        padding: Cosine of a padding token; -1 keeps it out.

    Returns:
        Similarities [B, A], images by rows.
    """
    cosine = torch.einsum("atd,bvd->batv", F.normalize(words, dim=-1), F.normalize(image, dim=-1))
    cosine = cosine.masked_fill(~mask[None, :, :, None], padding)
    of_words = torch.einsum("bat,at->ba", cosine.amax(3), word_weights)
    of_places = torch.einsum("bav,bv->ba", cosine.amax(2), image_weights)
    return (of_words + of_places) / 2


def gather_words(words: Tensor, weights: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gather the real tokens of all ranks, whose longest texts differ; see `gather_rows`."""
    tokens, shares = gather_rows(words[mask], weights[mask])
    lengths = gather_rows(mask.sum(1))[0].tolist()
    padded = [pad_sequence(one.split(lengths), batch_first=True) for one in (tokens, shares)]
    real = torch.arange(padded[0].shape[1], device=words.device) < torch.tensor(lengths, device=words.device)[:, None]
    return padded[0], padded[1], real


class TokenTerms(nn.Module):
    """The reconstruction of masked words and places, and the contrast of texts and images.

    Args:
        width: Channels of all tokens.
        text_width: Channels of a token of the text encoder.
        shares: Shares of the words and of the places that are masked.
        drawn: The masked tokens are drawn; see `choose_tokens`.
        temperature: Divides the similarities of the contrast.
        released: The terms of the released code; see `RecLMISReleased`.
        layers: See `Reconstructor`.
        heads: See `Reconstructor`.
        dropout: See `Reconstructor`.
    """

    def __init__(
        self,
        width: int,
        text_width: int,
        shares: Sequence[float],
        drawn: bool,
        temperature: float,
        released: bool,
        layers: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.shares, self.drawn, self.temperature, self.released = shares, drawn, temperature, released
        self.after = WordsAfterExchange(width, released)
        self.weigh_words, self.weigh_places = Weigher(width), Weigher(width)
        self.words, self.places = (Reconstructor(width, layers, heads, dropout, released) for _ in range(2))
        self.restore = nn.Identity() if text_width == width else nn.Linear(width, text_width)

    def forward(
        self, words: Tokens, places: Tokens, size: Sequence[int], text: Tensor, ids: Tensor
    ) -> dict[str, Tensor]:
        """Compute the terms by name; without `contrast` where no two texts are distinct.

        Args:
            words: The words of the reports.
            places: The places of the deepest maps.
            size: Places per axis.
            text: Tokens of the text encoder, [B, L, W].
            ids: One id per text, [B]; equal texts have the same one.
        """
        read = torch.ones_like(words.mask) if self.released else words.mask
        after = self.after(words.changed, read)
        weights = (self.weigh_words(after, words.mask), self.weigh_places(places.changed, places.mask))
        losses = self._reconstruct((words, places), weights, size, text)
        contrast = (self._contrast_as_released if self.released else self._contrast)((words, places), weights, ids)
        return losses if contrast is None else {**losses, "contrast": contrast}

    def _reconstruct(
        self, both: Sequence[Tokens], weights: Sequence[Tensor], size: Sequence[int], text: Tensor
    ) -> dict[str, Tensor]:
        (words, places), width = both, both[0].first.shape[2]
        at_words = sequence_positions(words.first.shape[1], width, text.device)
        at_places = positions(size, width, text.device)
        real, target = words.mask, places.changed.detach()
        if self.released:
            at_words, at_places = torch.zeros_like(at_words), torch.zeros_like(at_places)
            real, target = torch.ones_like(real), places.changed
        hidden = [
            tokens.first.masked_fill(choose_tokens(one, tokens.mask, share, self.drawn)[..., None], 0.0)
            for tokens, one, share in zip(both, weights, self.shares, strict=True)
        ]
        found = self.words(places.first, weights[1], at_places, hidden[0], at_words, real)
        seen = self.places(words.first, weights[0], at_words, hidden[1], at_places, None)
        return {
            "text_reconstruction": _error(self.restore(found), text.detach(), real),
            "image_reconstruction": _error(seen, target, places.mask),
        }

    def _contrast(self, both: Sequence[Tokens], weights: Sequence[Tensor], ids: Tensor) -> Tensor | None:
        words = gather_words(both[0].first, weights[0], both[0].mask)
        places, place_weights, ids = gather_rows(both[1].first, weights[1], ids)
        return contrast_similarities(compare_tokens(*words, places, place_weights), ids, self.temperature)

    def _contrast_as_released(self, both: Sequence[Tokens], weights: Sequence[Tensor], ids: Tensor) -> Tensor | None:
        (words, places), (of_words, of_places) = both, (one.softmax(1) for one in weights)
        similarity = compare_tokens(words.first, of_words, words.mask, places.first, of_places, padding=0.0)
        return contrast_similarities(similarity, torch.arange(len(ids), device=ids.device), self.temperature)


def _error(found: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Average the squared error over the channels and real tokens of a sample, and over the samples of all devices."""
    each = (found.float() - target.float()).square().mean(2)
    return gather_rows((each * mask).sum(1) / mask.sum(1))[0].mean()
