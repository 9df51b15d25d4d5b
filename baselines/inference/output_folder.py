"""The folder that `entityseg predict` writes: what is done in it, and what belongs to an image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson
from PIL import Image

from entityseg.baselines.inference.image_files import ID_MAPS, ImageFile, readable
from entityseg.data.json_file import parse_json_file
from entityseg.data.pixels import read_rgb
from entityseg.errors import Finding, InputError, input_error
from entityseg.files import atomic_file, write_bytes, write_json
from entityseg.masks import are_disjoint, paint, to_id_png, to_strings
from entityseg.predictions.idmap import SCORES
from entityseg.protocols import Pixels, Segmentation
from entityseg.report.overlay import draw, save_png

PREDICTIONS = "predictions.jsonl"
# What there is of each image, and how its name ends.
KINDS = {"json": ".json", ID_MAPS: ".png", "overlays": ".png"}


@dataclass(frozen=True)
class LoadedImage:
    """An image that is read and to be predicted."""

    file: ImageFile
    digest: str
    pixels: Pixels


@dataclass(frozen=True)
class OutputFolder:
    """Where predictions go.

    Attributes:
        path: the folder.
        threshold: least score of a mask; None: all masks.
        overlays: whether pictures are drawn.
        names: what is written on pictures for each label; other labels are written as numbers.
    """

    path: Path
    threshold: float | None = None
    overlays: bool = True
    names: Mapping[int, str] = field(default_factory=dict)

    def names_in_use(self) -> set[str]:
        """Return the names of all images of which something was written."""
        return {
            file.name.removesuffix(ending)
            for kind, ending in KINDS.items()
            for file in (self.path / kind).glob(f"[!.]*{ending}")
        }

    def file(self, kind: str, name: str) -> Path:
        """Return where something of an image is."""
        return self.path / kind / f"{name}{KINDS[kind]}"

    def forget(self, name: str) -> None:
        """Remove what was written of an image, its record first."""
        for kind in KINDS:
            self.file(kind, name).unlink(missing_ok=True)

    def load(self, one: ImageFile) -> LoadedImage | InputError | None:
        """Read an image; return None if it is done, the error if it cannot be read."""
        try:
            with open(one.path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if self._is_done(one, digest):
                return None
            return LoadedImage(one, digest, read_rgb(one.path, one.size))
        except InputError as error:
            found = error
        except OSError as error:
            message = f"the image cannot be read: {error.strerror or error}"
            is_link = one.path.is_symlink()
            remedy = "Check where the link leads." if is_link else "Check the file's permissions."
            found = InputError(Finding("image.unreadable", message, remedy, file=str(one.path)))
        self.forget(one.name)
        return found

    def _is_done(self, one: ImageFile, digest: str) -> bool:
        kinds = [kind for kind in KINDS if kind != "overlays" or self.overlays]
        if not all(self.file(kind, one.name).is_file() for kind in kinds):
            return False
        try:
            record = parse_json_file(self.file("json", one.name))
        except InputError:
            return False
        said = (record.get("image_sha256"), record.get("image_id"))
        return said == (digest, one.image_id) and (one.size is None or list(one.size) == record.get("size"))

    def write(self, one: LoadedImage, found: Segmentation) -> None:
        """Write all of an image, its record last.

        Raises:
            InputError: the model's masks are of another size.
        """
        if found.masks.size != one.pixels.shape[:2]:
            message = (
                f"the model's masks are {found.masks.size} (height, width), the image {one.pixels.shape[:2]}"
            )
            raise input_error(
                "model.size", message, "Return masks of the image's size.", file=str(one.file.path)
            )
        least = -np.inf if self.threshold is None else self.threshold
        rows = np.flatnonzero(found.scores >= least)
        rows = rows[np.argsort(-found.scores[rows], kind="stable")]
        masks, scores, labels = found.masks[rows], found.scores[rows], found.labels[rows]
        painted = masks
        if not are_disjoint(masks):
            painted = paint(masks, np.arange(len(masks))[::-1])
        seen = np.flatnonzero(painted.areas > 0)
        to_id_png(self.file(ID_MAPS, one.file.name), painted[seen], seen + 1)
        if self.overlays:
            texts = [self.names.get(label, str(label)) if label >= 0 else "" for label in labels.tolist()]
            picture = draw(Image.fromarray(one.pixels), painted, labels=texts if any(texts) else None)
            save_png(picture, self.file("overlays", one.file.name))
        columns = zip(to_strings(masks), scores.tolist(), labels.tolist(), strict=True)
        segments = [
            {
                "counts": counts.decode("ascii"),
                "score": score,
                **({} if label < 0 else {"category_id": label}),
            }
            for counts, score, label in columns
        ]
        record = {
            "image_id": one.file.image_id,
            "file_name": readable(one.file.path.name),
            "image_sha256": one.digest,
            "size": list(masks.size),
            "segments": segments,
            # Segments that others cover wholly are not in the map.
            "map_ids": (seen + 1).tolist(),
        }
        write_json(self.file("json", one.file.name), record)

    def assemble(self, files: Sequence[ImageFile]) -> int:
        """Write what is about all images that are done; return how many masks there are."""
        scores: dict[str, dict[str, float]] = {}
        masks = 0
        with atomic_file(self.path / PREDICTIONS) as out:
            for one in files:
                record = parse_json_file(self.file("json", one.name))
                segments = record["segments"]
                masks += len(segments)
                scores[str(one.image_id)] = {str(i): segments[i - 1]["score"] for i in record["map_ids"]}
                line = {key: record[key] for key in ("image_id", "file_name", "size", "segments")}
                out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            if not files:
                # An empty file is one that was cut, for every reader; a blank line is a whole one without images.
                out.write(b"\n")
        data = orjson.dumps(scores, option=orjson.OPT_APPEND_NEWLINE)
        write_bytes(self.path / ID_MAPS / SCORES, data)
        return masks
