"""A model over a file or a folder of images: masks as JSON, id maps and pictures, image by image, resumable.

The folder that is written:

- `predictions.jsonl`: a line an image, as `entityseg predictions` reads it; an image's id is its path without ending.
- `id_maps/ID.png` and `id_maps/scores.json`: the same as maps, painted by score where masks overlap.
- `overlays/ID.png`: pictures.
- `json/ID.json`: an image's line, with the digest of its file; what is there is not predicted again.
- `run.json`: the settings that all of it was made with, and the file of each id.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from entityseg.baselines.inference.output_folder import LoadedImage, OutputFolder, readable
from entityseg.data.images import EXTENSIONS, extension
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import Finding, Findings, InputError, MissingFileError, usage_error
from entityseg.protocols import Pixels, Segmentation, Segmenter

# Bytes; file systems take names of 255, and temporary names are longer than final ones.
_LONGEST_ID = 200


@dataclass(frozen=True)
class PredictedImages:
    """What became of the images.

    Attributes:
        folder: where everything is.
        images: how many there were.
        predicted: how many were predicted now.
        reused: how many were there already.
        masks: of all images.
        findings: images that could not be read.
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
    images: str | Path,
    out: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    threshold: float = 0.0,
    batch: int = 1,
    overlays: bool = True,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> PredictedImages:
    """Predict the masks of images and write them; killed at any point, the same call goes on.

    Args:
        model: what cuts the images.
        images: a file, or a folder, with all that is below it.
        out: folder to write to: new, or of an earlier call with the same settings.
        settings: what the model is and how it was made; results of other settings are not mixed.
        threshold: least score of a mask.
        batch: images given to the model together, if it has `segment_batch`.
        overlays: draw pictures.
        overwrite: throw away what a call with other settings wrote.
        progress: shows how far the images are.

    Raises:
        MissingFileError: there is no such file or folder, or no image in it.
        UsageError: the target is in use by something else; the threshold is no score.
        OSError: the disk is full or not writable; whole images stay.
    """
    if not 0 <= threshold <= 1:
        remedy = "Give a score from 0 to 1."
        raise usage_error("predict.threshold", "no mask can have this score", remedy, value=threshold)
    files = find_images(Path(images))
    work = OutputFolder(Path(out), threshold, overlays)
    work.prepare({**(settings or {}), "threshold": threshold, "overlays": overlays}, files, overwrite)
    findings = Findings()
    # One by one, because some images are so large that two of them are too many.
    loaded = (work.load(*item) for item in progress(list(files.items()), len(files), "predicting"))
    done: set[str] = set()
    predicted = 0
    for group in _grouped(loaded, batch, findings, done):
        for one, found in zip(group, _segment(model, [one.pixels for one in group]), strict=True):
            work.write(one, found)
            done.add(one.image_id)
            predicted += 1
    masks = work.assemble([image_id for image_id in files if image_id in done])
    return PredictedImages(work.path, len(files), predicted, len(done) - predicted, masks, findings)


def find_images(path: Path) -> dict[str, Path]:
    """Return the image files of a path by id: the path below the folder without ending, `/` as `__`, 200 bytes at most.

    Raises:
        MissingFileError: there is no such file or folder, or no image in it.

    >>> find_images(Path("nowhere"))
    Traceback (most recent call last):
    entityseg.errors.MissingFileError: error: nowhere: there is no such file or folder. Check the path. [file.missing]
    """
    if not path.exists():
        message, remedy = "there is no such file or folder", "Check the path."
        raise MissingFileError(Finding("file.missing", message, remedy, file=str(path)))
    if path.is_file():
        return {_short(readable(path.stem)): path}
    found = [
        one
        for one in sorted(path.rglob("*"))
        if extension(one.name) in EXTENSIONS and one.is_file() and not _hidden(one.relative_to(path))
    ]
    if not found:
        remedy = f"Images end in {', '.join(sorted(EXTENSIONS))}."
        raise MissingFileError(Finding("images.none", "the folder has no image", remedy, file=str(path)))
    names = [PurePosixPath(one.relative_to(path).as_posix()) for one in found]
    ids = [_short(readable("__".join(name.with_suffix("").parts))) for name in names]
    # Of files that differ in their ending alone, all keep it. Some file systems do not tell capitals apart.
    folded = [one.casefold() for one in ids]
    counts = Counter(folded)
    chosen: dict[str, Path] = {}
    taken: set[str] = set()
    for one, fold, name, file in zip(ids, folded, names, found, strict=True):
        base = one if counts[fold] == 1 else _short(readable("__".join(name.parts)))
        image_id, number = base, 1
        while image_id.casefold() in taken:
            number += 1
            image_id = f"{base}~{number}"
        taken.add(image_id.casefold())
        chosen[image_id] = file
    return chosen


def _short(image_id: str) -> str:
    """Return an id of which files can be named: a long one's end becomes a digest of the whole."""
    data = image_id.encode()
    if len(data) <= _LONGEST_ID:
        return image_id
    return f"{data[: _LONGEST_ID - 13].decode(errors='ignore')}~{hashlib.sha256(data).hexdigest()[:12]}"


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _segment(model: Segmenter, pixels: Sequence[Pixels]) -> list[Segmentation]:
    together = getattr(model, "segment_batch", None)
    if together is not None:
        found: list[Segmentation] = together(pixels)
        return found
    return [model.segment(one) for one in pixels]


def _grouped(
    loaded: Iterable[LoadedImage | InputError | str], batch: int, findings: Findings, done: set[str]
) -> Iterator[list[LoadedImage]]:
    """Yield images in groups; what could not be read goes to the findings, what is done to `done`."""
    group: list[LoadedImage] = []
    for one in loaded:
        if isinstance(one, InputError):
            findings.extend(one.findings)
        elif isinstance(one, str):
            done.add(one)
        else:
            group.append(one)
        if len(group) == batch:
            yield group
            group = []
    if group:
        yield group
