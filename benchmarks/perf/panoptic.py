"""COCO panoptic PNG to entity RLE and back: ours against the plain loop over segments."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from entityseg.benchmarks.perf.generate import make_images
from entityseg.benchmarks.perf.timing import alternated, markdown, ratio

Rles = list[dict[str, Any]]
LONG_SIDES = (1800, 3600)


def loop_from_png(path: Path) -> tuple[list[int], Rles]:
    """Reads a panoptic PNG the plain way: compare the whole map with each id and encode the result.

    This is what panopticapi's `panoptic2detection_coco_format` does for each segment.
    """
    from pycocotools import mask as coco_mask

    rgb = np.asarray(Image.open(path).convert("RGB"), dtype=np.uint32)
    ids = rgb[:, :, 0] + 256 * rgb[:, :, 1] + 65536 * rgb[:, :, 2]
    found = [int(value) for value in np.unique(ids) if value]
    rles = [coco_mask.encode(np.asfortranarray((ids == value).astype(np.uint8))) for value in found]
    return found, rles


def loop_to_png(path: Path, ids: Sequence[int], rles: Rles) -> None:
    """Writes a panoptic PNG the plain way: decode every mask to pixels and paint it (`detection2panoptic`).

    Raises:
        ValueError: If two masks overlap.
    """
    from pycocotools import mask as coco_mask

    rgb = np.zeros((*rles[0]["size"], 3), dtype=np.uint8)
    covered = np.zeros(rles[0]["size"], dtype=np.uint32)
    for value, rle in zip(ids, rles, strict=True):
        mask = coco_mask.decode(rle)
        covered += mask
        rgb[mask == 1] = (value % 256, value // 256 % 256, value // 65536)
    if (covered > 1).any():
        raise ValueError("two masks overlap")
    Image.fromarray(rgb).save(path)


def ours_from_png(path: Path) -> tuple[list[int], Rles]:
    """Our own way: the PNG's runs, then COCO strings."""
    from entityseg.masks import from_panoptic_png, to_coco

    ids, masks = from_panoptic_png(path)
    return [int(value) for value in ids], to_coco(masks)


def ours_to_png(path: Path, ids: Sequence[int], rles: Rles) -> None:
    """Our own way back: strictly decoded strings to a PNG."""
    from entityseg.masks import from_coco, to_panoptic_png

    to_panoptic_png(path, from_coco(rles), ids)


WAYS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "plain loop": (loop_from_png, loop_to_png),
    "ours": (ours_from_png, ours_to_png),
}


def compare(
    ways: Sequence[str] = tuple(WAYS), images: int = 4, repeat: int = 3, seed: int = 0
) -> dict[str, Any]:
    """Times both directions on made images of `LONG_SIDES` pixels.

    Returns:
        For each way the milliseconds an image `read` and `write` (the mean over images of medians), and the
        `megapixels` and `entities` of the images on average.

    Raises:
        RuntimeError: If a way does not give back the ids, the runs or the pixels that were written.
    """
    made = list(make_images(images, seed, LONG_SIDES, predictions=1))
    spent: dict[str, dict[str, float]] = {way: {"read": 0.0, "write": 0.0} for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        for k, image in enumerate(made):
            source = Path(folder) / f"{k}.png"
            rng = np.random.default_rng([seed, 3, k])
            # Colours as COCO has them: any 24-bit number.
            ids = sorted(int(v) for v in rng.choice(2**24 - 1, size=len(image.entities), replace=False) + 1)
            rles = [mask.to_dict() for mask in image.entities]
            loop_to_png(source, ids, rles)
            readers = {way: partial(WAYS[way][0], source) for way in ways}
            writers = {way: partial(WAYS[way][1], _target(folder, way), ids, rles) for way in ways}
            for way, seconds in alternated(readers, repeat).items():
                spent[way]["read"] += 1000 * seconds / images
                _check_read(way, readers[way](), ids, rles)
            for way, seconds in alternated(writers, repeat).items():
                spent[way]["write"] += 1000 * seconds / images
                if not np.array_equal(_pixels(_target(folder, way)), _pixels(source)):
                    raise RuntimeError(f"{way} wrote other pixels than the plain loop")
    megapixels = sum(image.height * image.width for image in made) / images / 1e6
    return {
        **spent,
        "megapixels": megapixels,
        "entities": sum(len(image.entities) for image in made) / images,
    }


def table(report: dict[str, Any]) -> str:
    """Returns the report as Markdown, in milliseconds an image, with the ratio to the plain loop."""
    ways = [way for way in WAYS if way in report]
    plain = report.get("plain loop", {"read": float("nan"), "write": float("nan")})
    rows = [
        [way, f"{report[way]['read']:.0f}", f"{report[way]['write']:.0f}"]
        + [ratio(plain[key], report[way][key]) for key in ("read", "write")]
        for way in ways
    ]
    size = f"{report['megapixels']:.1f} MP, {report['entities']:.0f} entities"
    return markdown(
        [f"ms an image ({size})", "PNG to RLE", "RLE to PNG", "x plain, reading", "x plain, writing"], rows
    )


def _target(folder: str, way: str) -> Path:
    return Path(folder) / f"{way.replace(' ', '_')}-written.png"


def _pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def _check_read(way: str, found: tuple[list[int], Rles], ids: Sequence[int], rles: Rles) -> None:
    got = {value: _text(rle["counts"]) for value, rle in zip(found[0], found[1], strict=True)}
    if got != {value: _text(rle["counts"]) for value, rle in zip(ids, rles, strict=True)}:
        raise RuntimeError(f"{way} reads other ids or runs than were written")


def _text(counts: str | bytes) -> str:
    return counts if isinstance(counts, str) else counts.decode("ascii")
