"""What the harness asks of a metric family: units, predictions of some of them, one file of all, a score, pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from entityseg.benchmarks.harness.opening import Truth
from entityseg.data.digests import of_json
from entityseg.data.pixels import read_rgb
from entityseg.data.threads import Progress
from entityseg.errors import EntitySegError, Findings, input_error
from entityseg.files import atomic_file
from entityseg.masks.runlengths import RunLengths, Size
from entityseg.metrics.result import Score
from entityseg.protocols import NO_CATEGORY, Pixels, Segmentation
from entityseg.registry import raised

Answer = TypeVar("Answer")
_GET_IMAGES = "Check that all images are where the task's tree says (`entityseg bench show TASK`)."


@dataclass(frozen=True)
class Pictured:
    """What a report draws of one unit.

    Attributes:
        title: the image's name, and the text if there is one.
        image: path of the image, None if it is not there.
        size: (height, width) of the masks.
        gt, pred: masks.
        scores: float64, one a predicted mask.
    """

    title: str
    image: Path | None
    size: Size
    gt: RunLengths
    pred: RunLengths
    scores: NDArray[np.float64]


class Adapter(ABC):
    """The harness's side of a metric family; units are images, each predicted as a whole.

    Attributes:
        method: what a model must have, `segment` or `ground`.
        file: name of the file (or folder) of all predictions.
        separator: what stands between the records of a JSON list; None for lines.
    """

    method: ClassVar[str] = "segment"
    file: ClassVar[str] = "predictions.json"
    separator: ClassVar[bytes | None] = b","

    def __init__(self, truth: Truth) -> None:
        self.truth = truth

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of units."""

    @abstractmethod
    def images(self) -> Iterator[tuple[str, Path | None]]:
        """Give the pictures that models see, by name; None where there is none."""

    def images_digest(self) -> str:
        """Return the SHA-256 of the names of all pictures and of their files' sizes, which costs no reading.

        Raises:
            InputError: some are not there; all are listed.
        """
        findings, sizes = Findings(), []
        for name, path in self.images():
            if path is None or not path.is_file():
                findings.add("image.missing", "the image is not there", _GET_IMAGES, value=name)
            else:
                sizes.append((name, path.stat().st_size))
        findings.raise_errors()
        return of_json(sizes)

    def prepare(self, model: Any) -> None:
        """Tell a model what it may know before the first unit."""
        return

    @abstractmethod
    def predict(self, model: Any, units: Sequence[int], path: Path) -> None:
        """Write the predictions of some units in the task's format, whole or not at all."""

    @abstractmethod
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
        """Score a file of predictions, with the figures of each image."""

    @abstractmethod
    def pictures(self, path: Path, ids: Sequence[Any]) -> Iterator[Pictured]:
        """Give what a report draws of the images with these ids (as in `Score.per_image`)."""

    def label(self, image_id: Any) -> str:
        """Return what people call an image (as in `Score.per_image`): its file's name, where there is one."""
        return str(image_id)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Write one file of all predictions from those of the shards; how they were cut leaves no trace."""
        with atomic_file(path) as out:
            if self.separator is None:
                for part in parts:
                    out.write(part.read_bytes())
                return
            head, tail = (b"[\n", b"\n]\n") if b"\n" in self.separator else (b"[", b"]\n")
            out.write(head)
            between = b""
            for part in parts:
                # Our own writers' lists: the brackets are the first and the last letter.
                inside = part.read_bytes().strip()[1:-1].strip()
                if inside:
                    out.write(between + inside)
                    between = self.separator
            out.write(tail)


def read_pixels(path: Path | None, size: Size, name: str) -> Pixels:
    """Return an image as uint8 [height, width, 3]; turned by its EXIF orientation only if it fits no other way.

    Raises:
        InputError: it is not there, cannot be read, or has another size than its ground truth.
    """
    if path is None:
        raise input_error("image.missing", "the image is not there", _GET_IMAGES, value=name)
    return read_rgb(path, size, record=name)


def asked(ask: Callable[[], Answer], name: str) -> Answer:
    """Return what a model answers.

    Raises:
        InputError: it raised an error; says which, where, and at which image or text.
    """
    try:
        return ask()
    except (EntitySegError, OSError, MemoryError):
        raise
    except Exception as error:
        message, remedy = f"the model raised {raised(error)}", "Mend the model."
        raise input_error("model.raised", message, remedy, record=name) from error


def segmented(ask: Callable[[], object], size: Size, name: str) -> Segmentation:
    """Return the masks that a model gives, after a look at them.

    Raises:
        InputError: it raised an error, gave something else, or masks of another size.
    """
    found = asked(ask, name)
    if not isinstance(found, Segmentation):
        message = f"the model gave a {type(found).__name__}"
        remedy = "Return an `entityseg.protocols.Segmentation`."
        raise input_error("model.answer", message, remedy, record=name)
    checked_size(found.masks, size, name)
    return found


def checked_size(masks: RunLengths, size: Size, name: str) -> RunLengths:
    """Return masks that a model gave, after a look at their size.

    Raises:
        InputError: they are of another size than the image.
    """
    if masks.size != size:
        message = f"the model's masks are {masks.size} (height, width), the image {size}"
        raise input_error("model.size", message, "Return masks of the image's size.", record=name)
    return masks


def with_known(found: Segmentation, category_ids: Collection[int], name: str) -> Segmentation:
    """Return what a model found, after a look at its categories.

    Raises:
        InputError: a mask has none, or one that the task does not have.
    """
    unknown = np.setdiff1d(found.labels, list(category_ids))
    if len(unknown):
        message = "the model gave a mask no category, or one that the task does not have"
        remedy = "Use the ids given to `use_categories`."
        value = None if unknown[0] == NO_CATEGORY else int(unknown[0])
        raise input_error("model.category", message, remedy, record=name, value=value)
    return found


def mode_option(mode: str) -> dict[str, str]:
    """Return the mode as an argument; families with one mode take none."""
    return {} if mode == "canonical" else {"mode": mode}
