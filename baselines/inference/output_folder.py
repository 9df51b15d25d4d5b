"""The folder that `entityseg predict` writes: what is done in it, and what belongs to an image."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from PIL import Image

from entityseg.data.json_file import parse_json_file
from entityseg.data.pixels import read_rgb
from entityseg.errors import Finding, InputError, usage_error
from entityseg.files import atomic_file, remove_leftovers, write_bytes, write_json
from entityseg.masks import are_disjoint, paint, to_id_png, to_strings
from entityseg.predictions.idmap import SCORES
from entityseg.protocols import Pixels, Segmentation
from entityseg.report.overlay import draw, save_png

RUN = "run.json"
PREDICTIONS = "predictions.jsonl"
_FOLDERS = ("json", "id_maps", "overlays")


def readable(name: str) -> str:
    r"""Return the name of a file as text that can be written; bytes that are no UTF-8 become `\xff`.

    >>> readable("caf\udce9.png")
    'caf\\xe9.png'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class LoadedImage:
    """An image that is read and to be predicted."""

    image_id: str
    path: Path
    digest: str
    pixels: Pixels


@dataclass(frozen=True)
class OutputFolder:
    """Where predictions go.

    Attributes:
        path: the folder.
        threshold: least score of a mask.
        overlays: whether pictures are drawn.
    """

    path: Path
    threshold: float
    overlays: bool

    def prepare(self, settings: Mapping[str, Any], files: Mapping[str, Path], overwrite: bool) -> None:
        """Make the folder ready.

        Args:
            settings: that all predictions in it were made with.
            files: of the images, by id.
            overwrite: throw away predictions of other settings.

        Raises:
            UsageError: it is in use by something else.
        """
        run = self.path / RUN
        # Through JSON and back, so that tuples and lists are alike.
        wanted = orjson.loads(orjson.dumps(dict(settings), option=orjson.OPT_SERIALIZE_NUMPY))
        where = {"file": str(self.path)}
        if self.path.exists() and not self.path.is_dir():
            raise usage_error("target.file", "the target is a file", "Name a folder.", **where)
        if self.path.is_dir() and any(self.path.iterdir()):
            if not run.is_file():
                message = "the folder holds something else than predictions of images"
                raise usage_error("target.exists", message, "Name a new folder.", **where)
            if parse_json_file(run).get("settings") != wanted:
                if not overwrite:
                    message = "the folder holds predictions of another model or of other settings"
                    remedy = "Name a new folder, or throw them away (`--overwrite`)."
                    raise usage_error("target.settings", message, remedy, **where)
                for name in _FOLDERS:
                    shutil.rmtree(self.path / name, ignore_errors=True)
                (self.path / PREDICTIONS).unlink(missing_ok=True)
        images = {image_id: readable(str(path)) for image_id, path in files.items()}
        write_json(run, {"settings": wanted, "images": images}, indent=True)
        for name in _FOLDERS:
            (self.path / name).mkdir(exist_ok=True)
            # Hidden files are what killed runs were writing.
            for leftover in (self.path / name).glob(".*"):
                leftover.unlink()
        remove_leftovers(self.path / PREDICTIONS)

    def load(self, image_id: str, path: Path) -> LoadedImage | InputError | str:
        """Read an image; return its id if it is done, the error if it cannot be read."""
        try:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if self._is_done(image_id, digest):
                return image_id
            return LoadedImage(image_id, path, digest, read_rgb(path))
        except InputError as error:
            return error
        except OSError as error:
            message = f"the image cannot be read: {error.strerror or error}"
            return InputError(
                Finding("image.unreadable", message, "Check the file's permissions.", file=str(path))
            )

    def _is_done(self, image_id: str, digest: str) -> bool:
        record = self.path / "json" / f"{image_id}.json"
        if not record.is_file():
            return False
        return bool(parse_json_file(record).get("image_sha256") == digest)

    def write(self, one: LoadedImage, found: Segmentation) -> None:
        """Write all of an image, its record last."""
        rows = np.flatnonzero((found.scores >= self.threshold) & (found.masks.areas > 0))
        rows = rows[np.argsort(-found.scores[rows], kind="stable")]
        masks, scores, labels = found.masks[rows], found.scores[rows], found.labels[rows]
        painted = masks
        if not are_disjoint(masks):
            painted = paint(masks, np.arange(len(masks))[::-1])
        seen = np.flatnonzero(painted.areas > 0)
        to_id_png(self.path / "id_maps" / f"{one.image_id}.png", painted[seen], seen + 1)
        if self.overlays:
            save_png(
                draw(Image.fromarray(one.pixels), painted), self.path / "overlays" / f"{one.image_id}.png"
            )
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
            "image_id": one.image_id,
            "file_name": readable(one.path.name),
            "image_sha256": one.digest,
            "size": list(masks.size),
            "segments": segments,
            # Segments that others cover wholly are not in the map.
            "map_ids": (seen + 1).tolist(),
        }
        write_json(self.path / "json" / f"{one.image_id}.json", record)

    def assemble(self, ids: Sequence[str]) -> int:
        """Write what is about all images that are done; return how many masks there are."""
        scores: dict[str, dict[str, float]] = {}
        masks = 0
        with atomic_file(self.path / PREDICTIONS) as out:
            for image_id in ids:
                record = parse_json_file(self.path / "json" / f"{image_id}.json")
                segments = record["segments"]
                masks += len(segments)
                scores[image_id] = {str(i): segments[i - 1]["score"] for i in record["map_ids"]}
                line = {key: record[key] for key in ("image_id", "file_name", "size", "segments")}
                out.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            if not ids:
                # An empty file is one that was cut, for every reader; a blank line is a whole one without images.
                out.write(b"\n")
        data = orjson.dumps(scores, option=orjson.OPT_APPEND_NEWLINE)
        write_bytes(self.path / "id_maps" / SCORES, data)
        return masks
