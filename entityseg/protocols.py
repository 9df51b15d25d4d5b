"""What a model must offer to be run by the harness; anything with these methods is one.

A `Segmenter` cuts an image into masks, a `Grounder` finds what a text names in it. A model may also have
`use_categories`, which the harness calls once with the task's categories; `fingerprint`, which says what it is made of,
so that a run of other weights does not go on; and `reveal`, which is called with the truth of each image before asking:
whoever has that is an oracle, and its results say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from entityseg.errors import input_error
from entityseg.masks.runlengths import Int64Array, RunLengths

if TYPE_CHECKING:
    from entityseg.data.records import Category

Pixels = NDArray[np.uint8]
NO_CATEGORY = -1


@dataclass(frozen=True)
class Segmentation:
    """The masks that a model found in an image.

    Attributes:
        masks: n masks of the image's size.
        scores: float64 [n], finite; the higher, the surer.
        labels: int64 [n], category ids; -1 where the model says none, as in class-agnostic tasks.

    Raises:
        InputError: the masks are no `RunLengths`, the columns differ in length, a score is not finite, or a label is
            no whole number.

    >>> Segmentation(RunLengths((2, 2), [0, 1], [0, 2]), np.array([0.5])).labels.tolist()
    [-1]
    """

    masks: RunLengths
    scores: NDArray[np.float64]
    labels: Int64Array = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        _require_masks(self.masks)
        n = len(self.masks)
        object.__setattr__(self, "scores", _numbers(self.scores, "scores").astype(np.float64))
        given = _whole(_numbers(self.labels, "labels"))
        object.__setattr__(
            self, "labels", given if len(given) or not n else np.full(n, NO_CATEGORY, np.int64)
        )
        for name in ("scores", "labels"):
            column = getattr(self, name)
            if column.shape != (n,):
                message = f"{n} masks need as many {name}, not {column.shape}"
                raise input_error("model.columns", message, "Return one a mask.", field=name)
        if not np.isfinite(self.scores).all():
            raise input_error("model.scores", "a score is not finite", "Return numbers.", field="scores")


@dataclass(frozen=True)
class GroundedPhrase:
    """A phrase and what it means in the image.

    Attributes:
        text: the phrase.
        mask: one mask; None where the model found nothing.
        span: where the phrase stands in the text (first character, one behind the last), if the model knows.
        score: finite, if the model gives one.

    Raises:
        InputError: the text is no text, there is more than one mask, or another part is not as said.
    """

    text: str
    mask: RunLengths | None
    span: tuple[int, int] | None = None
    score: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            message = f"the text of a phrase is a {type(self.text).__name__}"
            raise input_error("model.phrase", message, "Give a text.", field="text")
        if self.mask is not None:
            _require_masks(self.mask)
            if len(self.mask) != 1:
                message = f"a phrase has one mask, not {len(self.mask)}"
                remedy = "Join them (`entityseg.masks.union`)."
                raise input_error("model.phrase", message, remedy, value=self.text)
        if self.span is not None:
            span = _whole(_numbers(self.span, "span")).tolist()
            if np.shape(span) != (2,) or not 0 <= span[0] <= span[1]:
                message, remedy = "the span is no (begin, end) in the text", "Give two places, or None."
                raise input_error("model.phrase", message, remedy, field="span", value=self.text)
            object.__setattr__(self, "span", tuple(span))
        if self.score is not None:
            score = _numbers(self.score, "score")
            if score.shape != () or not np.isfinite(score):
                message, remedy = "the score is no finite number", "Give a number, or None."
                raise input_error("model.scores", message, remedy, field="score", value=self.text)
            object.__setattr__(self, "score", float(score))


def _require_masks(masks: Any) -> None:
    if not isinstance(masks, RunLengths):
        message = f"masks are a {type(masks).__name__}, not `RunLengths`"
        remedy = "Make them with `entityseg.masks`: `from_dense` takes bool [n, height, width]."
        raise input_error("model.masks", message, remedy, field="masks")


def _numbers(values: Any, name: str) -> NDArray[Any]:
    """Return numbers as an array.

    Raises:
        InputError: they are none.
    """
    try:
        found = np.asarray(values)
    except (ValueError, TypeError, RuntimeError):  # Ragged lists, and tensors that are not on the CPU.
        found = np.empty(0, object)
    if found.dtype.kind not in "iufb":
        message = "these are no numbers that NumPy can take"
        raise input_error("model.columns", message, "Give an array or a list of numbers.", field=name)
    return found


def _whole(values: NDArray[Any]) -> Int64Array:
    """Return whole numbers.

    Raises:
        InputError: one is not whole.
    """
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.trunc(values))).all():
        message = "a label or place is no whole number"
        raise input_error("model.columns", message, "Give whole numbers.", field="labels")
    return values.astype(np.int64)


@runtime_checkable
class Segmenter(Protocol):
    """Cuts images into masks."""

    def segment(self, image: Pixels) -> Segmentation:
        """Return the masks of an image, uint8 [height, width, 3], at its size."""
        ...


@runtime_checkable
class Grounder(Protocol):
    """Finds what a text names."""

    def ground(
        self, image: Pixels, text: str, phrases: Sequence[str] | None = None
    ) -> Sequence[GroundedPhrase]:
        """Return phrases with masks.

        Args:
            image: uint8 [height, width, 3].
            text: an expression, a question or a caption.
            phrases: the phrases to answer, one answer each in their order; None: find the phrases of the text.
        """
        ...


@runtime_checkable
class UsesCategories(Protocol):
    """A model that wants to know the categories of a class-aware task."""

    def use_categories(self, categories: Sequence[Category]) -> None:
        """Take note of the categories; labels of later masks are their ids."""
        ...


@runtime_checkable
class Fingerprinted(Protocol):
    """A model that is more than its code and its options, such as one with weights from a file."""

    def fingerprint(self) -> str:
        """Return a digest of what else decides on the answers; a run does not go on with another one's predictions."""
        ...


@runtime_checkable
class Oracle(Protocol):
    """A model that is told the truth: for tests and upper bounds, never for a ranking."""

    def reveal(self, unit: str, truth: Segmentation | Sequence[GroundedPhrase]) -> None:
        """Take note of the truth of what is asked next.

        Args:
            unit: name of the image or text, for seeds.
            truth: masks for a `Segmenter`; phrases in the order of the answers for a `Grounder`.
        """
        ...
