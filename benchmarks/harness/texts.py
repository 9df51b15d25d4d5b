"""What families of texts share: a model grounds texts in an image, and pictures show the worst text of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from entityseg.benchmarks.harness.adapter import Adapter, Pictured, asked, checked_size, mode_option
from entityseg.data.threads import Progress
from entityseg.errors import input_error
from entityseg.masks import RunLengths, iou_matrix
from entityseg.masks.runlengths import Size
from entityseg.metrics.result import Score
from entityseg.protocols import GroundedPhrase, Oracle, Pixels


class TextsAdapter(Adapter):
    """Asks a `Grounder`; predictions are a JSON list of records."""

    method: ClassVar[str] = "ground"

    def score(
        self,
        path: Path,
        *,
        mode: str,
        options: Mapping[str, Any],
        bootstrap: int,
        seed: int,
        threads: int | None,
        progress: Progress | None,
    ) -> Score:
        """Score a file of predictions."""
        from entityseg.benchmarks.harness.families import scorer

        return scorer(self.truth.task.family)(
            self.truth.value, path, bootstrap=bootstrap, seed=seed, per_image=True, threads=threads, progress=progress,
            **mode_option(mode), **options,
        )  # fmt: skip


def ask(
    model: Any,
    pixels: Pixels,
    unit: str,
    text: str,
    phrases: Sequence[str] | None,
    truth: Sequence[GroundedPhrase],
) -> Sequence[GroundedPhrase]:
    """Return a model's answers, checked: one a phrase where phrases are given, masks of the image's size.

    Raises:
        InputError: the model broke its word.
    """
    if isinstance(model, Oracle):
        model.reveal(unit, truth)
    answers: Any = asked(lambda: model.ground(pixels, text, phrases), unit)
    if not isinstance(answers, Sequence) or not all(isinstance(one, GroundedPhrase) for one in answers):
        message = f"the model gave a {type(answers).__name__} that is no list of phrases"
        remedy = "Return a list of `entityseg.protocols.GroundedPhrase`."
        raise input_error("model.answer", message, remedy, record=unit)
    if phrases is not None and len(answers) != len(phrases):
        message = f"the model gave {len(answers)} answers to {len(phrases)} phrases"
        raise input_error("model.answers", message, "Give one a phrase, in their order.", record=unit)
    for answer in answers:
        if answer.mask is not None:
            checked_size(answer.mask, (pixels.shape[0], pixels.shape[1]), unit)
        if answer.span is not None and answer.span[1] > len(text):
            message = f"the span {list(answer.span)} goes beyond the text of {len(text)} characters"
            raise input_error("model.phrase", message, "Count in the text, or give None.", record=unit)
    return answers


def worst(
    title: str, image: Path | None, size: Size, texts: Sequence[tuple[str, RunLengths, RunLengths]]
) -> Pictured:
    """Return what to draw of an image: of its texts, the one with the least IoU.

    Args:
        title: name of the image.
        image: its path.
        size: of its masks.
        texts: (text, one true mask, one predicted mask).
    """

    def iou(one: tuple[str, RunLengths, RunLengths]) -> float:
        _, gt, pred = one
        return 1.0 if not gt.areas[0] and not pred.areas[0] else float(iou_matrix(pred, gt)[0, 0])

    text, gt, pred = min(texts, key=iou)
    kept = np.flatnonzero(pred.areas > 0)
    return Pictured(
        f"{title}: {text}", image, size, gt[np.flatnonzero(gt.areas > 0)], pred[kept], np.ones(len(kept))
    )
