"""A model over a file or a folder of images: masks as JSON, id maps and pictures, image by image, resumable.

The folder that is written:

- `predictions.jsonl`: a line an image, as `entityseg predictions` reads it.
- `id_maps/NAME.png` and `id_maps/scores.json`: the same as maps, painted by score where masks overlap.
- `overlays/NAME.png`: pictures.
- `json/NAME.json`: an image's line, with the digest of its file; what is there is not predicted again.
- `run.json`: the settings that all of it was made with, and the file of each name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entityseg.baselines.inference.claim import claim, held
from entityseg.baselines.inference.image_files import ImageFile, ImageFiles, find_images
from entityseg.baselines.inference.output_folder import LoadedImage, OutputFolder
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import Findings, InputError, usage_error
from entityseg.protocols import Pixels, Segmentation, Segmenter


@dataclass(frozen=True)
class PredictedImages:
    """What became of the images.

    Attributes:
        folder: where everything is.
        images: how many there were.
        predicted: how many were predicted now.
        reused: how many were there already.
        masks: of all images.
        findings: images that are not there or could not be read, and folders that could not be looked into.
    """

    folder: Path
    images: int
    predicted: int
    reused: int
    masks: int
    findings: Findings = field(default_factory=Findings)

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as a JSON object."""
        return {
            "folder": str(self.folder),
            "images": self.images,
            "predicted": self.predicted,
            "reused": self.reused,
            "masks": self.masks,
            **self.findings.to_json(),
        }


def predict_images(
    model: Segmenter,
    images: str | Path | ImageFiles,
    out: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
    threshold: float | None = None,
    batch: int = 1,
    overlays: bool = True,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> PredictedImages:
    """Predict the masks of images and write them; killed at any point, the same call goes on.

    Args:
        model: what cuts the images. Its `names`, where it has any, are written on pictures for its labels.
        images: a file, or a folder, with all that is below it; or what `find_images` or `images_of` gave.
        out: folder to write to: new, or of an earlier call with the same settings and images.
        settings: what the model is and how it was made; results of other settings are not mixed.
        about: what else `run.json` says, without making results other ones.
        threshold: least score of a mask; None: all masks.
        batch: images given to the model together, if it has `segment_batch`.
        overlays: draw pictures.
        overwrite: throw away what calls with other settings wrote, and what is of other images.
        progress: shows how far the images are.

    Raises:
        MissingFileError: there is no such file or folder, or no image in it.
        UsageError: the target is in use by something else; the threshold is no score.
        InputError: the model's masks are of another size than the image, or its scores are not finite.
        OSError: the disk is full or not writable; whole images stay.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        remedy = "Give a score from 0 to 1."
        raise usage_error("predict.threshold", "no mask can have this score", remedy, value=threshold)
    if not isinstance(images, ImageFiles):
        images = find_images(images)
    given = getattr(model, "names", None)
    names: Mapping[int, str] = given if isinstance(given, Mapping) else {}
    work = OutputFolder(Path(out), threshold, overlays, names)
    chosen = {**(settings or {}), "threshold": threshold, "overlays": overlays}
    findings = Findings()
    findings.extend(images.findings)
    unreadable: set[str] = set()
    predicted = 0
    with held(work.path):
        named = {"categories": {str(label): name for label, name in names.items()}} if names else {}
        claim(work, images.files, settings=chosen, about={**(about or {}), **named}, overwrite=overwrite)
        # One by one, because some images are so large that two of them are too many.
        loaded = ((one, work.load(one)) for one in progress(images.files, len(images.files), "predicting"))
        for group in _grouped(loaded, batch, findings, unreadable):
            for one, found in zip(group, _segment(model, [one.pixels for one in group]), strict=True):
                work.write(one, found)
                predicted += 1
        done = [one for one in images.files if one.name not in unreadable]
        masks = work.assemble(done)
    return PredictedImages(work.path, len(images.files), predicted, len(done) - predicted, masks, findings)


def _segment(model: Segmenter, pixels: Sequence[Pixels]) -> list[Segmentation]:
    together = getattr(model, "segment_batch", None)
    if together is not None:
        found: list[Segmentation] = together(pixels)
        return found
    return [model.segment(one) for one in pixels]


def _grouped(
    loaded: Iterable[tuple[ImageFile, LoadedImage | InputError | None]],
    batch: int,
    findings: Findings,
    unreadable: set[str],
) -> Iterator[list[LoadedImage]]:
    """Yield images that are to be predicted in groups; note those that cannot be read."""
    group: list[LoadedImage] = []
    for one, found in loaded:
        if isinstance(found, InputError):
            findings.extend(found.findings)
            unreadable.add(one.name)
        elif found is not None:
            group.append(found)
        if len(group) == batch:
            yield group
            group = []
    if group:
        yield group
