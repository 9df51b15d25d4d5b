"""What a model predicts: class and mask logits of each query, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor


@dataclass(frozen=True)
class Decoded:
    """What one decoder predicts, stage by stage; the last stage is the answer.

    While training there is a stage for the queries as they enter and one a layer (deep supervision); otherwise, if
    not asked for more, only the last.

    Attributes:
        logits: each float [N, Q, C + 1], class logits; the last class is "no object".
        masks: each float [N, Q, T, h, w], mask logits at stride 4 of the network's input.
        runs: how often the decoder ran, each time from other queries; the stages of one run follow those of another,
            as many each. The loss is the mean over them.
    """

    logits: tuple[Tensor, ...]
    masks: tuple[Tensor, ...]
    runs: int = 1


@dataclass(frozen=True)
class Identities:
    """Embeddings whose products tell which queries are of one entity (VITA's similarity loss).

    Run r of the batch-level decoder is that from the r-th of the last image-level stages.

    Attributes:
        views: float [runs, B, T, Q, size], of the queries of each view.
        images: float [runs, B, clip queries, size], of the batch-level queries after the last stage of each run.
    """

    views: Tensor
    images: Tensor


@dataclass(frozen=True)
class SegmenterOutput:
    """What a model predicts for B images in T views.

    Attributes:
        image: of the image-level decoder, which sees each view alone: N = B * T (row b * T + t), its masks have T = 1.
        batch: of the batch-level decoder, which sees all views of an image: N = B.
        identities: for the loss of a model that learns them; None unless all stages were asked for.
    """

    image: Decoded | None
    batch: Decoded | None
    identities: Identities | None = None

    def __post_init__(self) -> None:
        if self.image is None and self.batch is None:
            raise ValueError("a model predicts with at least one decoder")

    @property
    def answer(self) -> Decoded:
        """The decoder that the model's results are read from."""
        return cast(Decoded, self.image if self.batch is None else self.batch)
