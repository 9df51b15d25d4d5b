"""Annotated images as pictures: translucent masks with crisp outlines, truth against predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from entityseg.errors import input_error, usage_error
from entityseg.files import atomic_file
from entityseg.masks.geometry import resize
from entityseg.masks.idmap import to_id_map
from entityseg.masks.pairwise import iou_matrix
from entityseg.masks.runlengths import Int64Array, RunLengths, Size
from entityseg.report.colours import FALSE, MATCHED, MISSED, entity_colours

MAX_SIDE = 1600
_OPACITY = 0.5
_GREY = 150
ByteArray = NDArray[np.uint8]


def draw(
    image: Image.Image | None,
    masks: RunLengths,
    *,
    colours: ByteArray | None = None,
    labels: Sequence[str] | None = None,
    numbers: Sequence[int] | None = None,
    max_side: int = MAX_SIDE,
    opacity: float = _OPACITY,
) -> Image.Image:
    """Draw masks over their image; where masks share pixels, the smaller one is seen.

    The image is brought to `max_side` first and the masks with it (nearest neighbour), so that outlines are
    as crisp on a picture of 15,000 pixels as on one of 500.

    Args:
        image: the picture, of any size in the masks' proportions; None draws on grey.
        masks: n masks.
        colours: uint8 [n, 3]; the first n of `entity_colours` where not given.
        labels: a text for each mask, such as its category; drawn where there is room.
        numbers: a number for each mask, such as its id; drawn where there is room.
        max_side: the longest side of the result in pixels; smaller images stay as they are.
        opacity: of the masks, 0 to 1; the outlines are opaque.

    Raises:
        InputError: the image's proportions are not the masks', or there are not n colours, labels or numbers.

    >>> draw(None, RunLengths((40, 60), [0, 400], [0, 2])).size
    (60, 40)
    """
    canvas = _Canvas.of(image, masks, max_side)
    chosen = entity_colours(len(masks)) if colours is None else np.asarray(colours, np.uint8)
    for name, given in (("colours", chosen), ("labels", labels), ("numbers", numbers)):
        if given is not None and len(given) != len(masks):
            message = f"{len(masks)} masks need as many {name}, not {len(given)}"
            raise input_error("overlay.count", message, f"Give one of the {name} a mask.")
    index = _index_map(canvas.masks)
    pixels = _blend(canvas.pixels, index, chosen, opacity)
    picture = Image.fromarray(pixels)
    if labels is not None or numbers is not None:
        parts = [given for given in (numbers, labels) if given is not None]
        texts = [" ".join(map(str, both)) for both in zip(*parts, strict=True)]
        _write_texts(picture, index, texts)
    return picture


@dataclass(frozen=True)
class Outcome:
    """Which masks of a prediction found which of the ground truth.

    Attributes:
        pred_of_gt: int64 [m], the prediction that found each ground-truth mask, -1 where none did.
        gt_of_pred: int64 [n], the ground-truth mask that each prediction found, -1 where it found none.
    """

    pred_of_gt: Int64Array
    gt_of_pred: Int64Array


def match(gt: RunLengths, pred: RunLengths, scores: NDArray[np.float64], *, iou: float = 0.5) -> Outcome:
    """Match predictions with ground truth, best score first, each with the free mask of the largest IoU.

    >>> square = RunLengths((4, 4), [5, 7, 9, 11], [0, 4])
    >>> match(square, square, np.array([0.9])).pred_of_gt.tolist()
    [0]
    """
    ious = iou_matrix(pred, gt, least_iou=iou)
    pred_of_gt, gt_of_pred = np.full(len(gt), -1, np.int64), np.full(len(pred), -1, np.int64)
    for row in np.argsort(-np.asarray(scores), kind="stable") if len(gt) else ():
        free = np.where(pred_of_gt < 0, ious[row], -1.0)
        best = int(np.argmax(free))
        if free[best] >= iou:
            pred_of_gt[best], gt_of_pred[row] = row, best
    return Outcome(pred_of_gt, gt_of_pred)


def draw_triple(
    image: Image.Image | None,
    gt: RunLengths,
    pred: RunLengths,
    scores: NDArray[np.float64],
    *,
    iou: float = 0.5,
    max_side: int = MAX_SIDE,
) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Draw ground truth, prediction and errors; a prediction that found a mask has that mask's colour.

    In the picture of errors, blue is ground truth that was found, orange is ground truth that was missed, and
    what is hatched in pink was predicted and matches nothing.

    Raises:
        InputError: the image's proportions are not the masks', or the two sets of masks differ in size.
    """
    outcome = match(gt, pred, scores, iou=iou)
    colours = entity_colours(len(gt) + len(pred))
    pred_colours = colours[len(gt) :].copy()
    found = outcome.gt_of_pred >= 0
    pred_colours[found] = colours[outcome.gt_of_pred[found]]
    first = draw(image, gt, colours=colours[: len(gt)], max_side=max_side)
    second = draw(image, pred, colours=pred_colours, max_side=max_side)
    return first, second, draw_errors(image, gt, pred, outcome, max_side=max_side)


def draw_errors(
    image: Image.Image | None, gt: RunLengths, pred: RunLengths, outcome: Outcome, *, max_side: int = MAX_SIDE
) -> Image.Image:
    """Draw what was found (blue), what was missed (orange), and predictions that match nothing (hatched)."""
    canvas = _Canvas.of(image, gt, max_side)
    grey = canvas.pixels.mean(axis=2, keepdims=True).repeat(3, axis=2).astype(np.uint8)
    status = np.where(outcome.pred_of_gt >= 0, 0, 1)
    index = _index_map(canvas.masks)
    pixels = _blend(grey, index, np.array([MATCHED, MISSED], np.uint8)[status], _OPACITY)
    wrong = resize(pred[outcome.gt_of_pred < 0], canvas.masks.size)
    wrong_index = _index_map(wrong)
    height, width = wrong.size
    step = max(6, max(height, width) // 120)
    stripes = (np.arange(height)[:, None] + np.arange(width)[None, :]) % step < max(2, step // 4)
    hatched = (wrong_index > 0) & (stripes | _borders(wrong_index, _line_width(wrong.size)))
    pixels[hatched] = FALSE
    return Image.fromarray(pixels)


def beside(pictures: Sequence[Image.Image], *, gap: int = 12) -> Image.Image:
    """Return pictures of one size in one: side by side, or one below the other if they are wide."""
    width, height = pictures[0].size
    down = width > 1.6 * height
    side = len(pictures) * ((height if down else width) + gap) - gap
    joined = Image.new("RGB", (width, side) if down else (side, height), "white")
    for number, picture in enumerate(pictures):
        joined.paste(picture, (0, number * (height + gap)) if down else (number * (width + gap), 0))
    return joined


def load_picture(path: str | Path, *, size: Size | None = None, max_side: int = MAX_SIDE) -> Image.Image:
    """Read an image file as RGB, no larger than `max_side`; a JPEG is decoded at a part of its size.

    Args:
        path: the file.
        size: (height, width) of its masks. Pixels are taken as they are stored, unless only the image turned
            by its EXIF orientation has these proportions: some sets were annotated on what a viewer shows.
        max_side: the longest side of the result in pixels.

    Raises:
        InputError: the file is no image that can be read.
    """
    try:
        with Image.open(path) as file:
            file.draft("RGB", (2 * max_side, 2 * max_side))
            file.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
            picture = file if size is None or fits(file.size, size) else ImageOps.exif_transpose(file)
            return picture.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        message = f"the image cannot be read: {error}"
        raise input_error("image.unreadable", message, "Get the file again.", file=str(path)) from error


def fits(image_size: tuple[int, int], mask_size: Size) -> bool:
    """Return whether an image (width, height) has the proportions of masks (height, width).

    >>> fits((1333, 750), (2250, 4000)), fits((750, 1333), (2250, 4000))
    (True, False)
    """
    (width, height), (mask_height, mask_width) = image_size, mask_size
    # A thumbnail's sides are rounded, each to within a pixel.
    return abs(height * mask_width - width * mask_height) <= max(mask_size) + max(image_size)


def save_png(picture: Image.Image, path: str | Path) -> None:
    """Write a picture as PNG, whole or not at all."""
    with atomic_file(path) as file:
        picture.save(file, format="PNG", optimize=False, compress_level=6)


@dataclass(frozen=True)
class _Canvas:
    """The picture and the masks at the size in which they are drawn."""

    pixels: ByteArray
    masks: RunLengths

    @classmethod
    def of(cls, image: Image.Image | None, masks: RunLengths, max_side: int) -> _Canvas:
        if max_side < 1:
            raise usage_error("overlay.side", "the longest side must be 1 pixel or more", "Give, say, 1600.")
        size = _fitted(masks.size, max_side)
        small = resize(masks, size)
        if image is None:
            return cls(np.full((*size, 3), _GREY, np.uint8), small)
        if not fits(image.size, masks.size):
            width, height = image.size
            message = f"the image has {width} x {height} pixels, its masks {masks.width} x {masks.height}"
            remedy = "Give the image that was annotated; an EXIF orientation must not be applied to it."
            raise input_error("overlay.size", message, remedy)
        target = (size[1], size[0])
        rgb = image.convert("RGB")
        if rgb.size != target:
            rgb = rgb.resize(target, Image.Resampling.LANCZOS, reducing_gap=3)
        return cls(np.asarray(rgb), small)


def _fitted(size: Size, max_side: int) -> Size:
    scale = min(1.0, max_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _index_map(masks: RunLengths) -> NDArray[np.int32]:
    """Return the map of mask numbers from 1, 0 where there is none; the smaller of two masks wins."""
    order = np.argsort(-masks.areas, kind="stable")
    index: NDArray[np.int32] = to_id_map(masks[order], order + 1, np.int32, overlap="later")  # type: ignore[assignment]
    return index


def _line_width(size: Size) -> int:
    return 1 if max(size) < 900 else 2


def _borders(index: NDArray[np.int32], width: int) -> NDArray[np.bool_]:
    """Return the pixels within `width` of another mask, on both sides of the border."""
    border = np.zeros(index.shape, bool)
    for step in range(1, width + 1):
        across, down = index[:, step:] != index[:, :-step], index[step:] != index[:-step]
        border[:, step:] |= across
        border[:, :-step] |= across
        border[step:] |= down
        border[:-step] |= down
    return border


def _blend(pixels: ByteArray, index: NDArray[np.int32], colours: ByteArray, opacity: float) -> ByteArray:
    """Return the picture with masks in their colours and their outlines in a lighter shade of them."""
    none = np.zeros((1, 3), np.uint8)
    fill = np.concatenate([none, colours])[index].astype(np.float32)
    lines = np.concatenate([none, (2 * colours.astype(np.int64) + 3 * 255) // 5]).astype(np.uint8)
    inside = (index > 0)[..., None]
    mixed = np.where(inside, pixels * (1 - opacity) + fill * opacity, pixels)
    out: ByteArray = np.round(mixed).astype(np.uint8)
    border = _borders(index, _line_width(index.shape)) & (index > 0)
    out[border] = lines[index[border]]
    return out


def _write_texts(picture: Image.Image, index: NDArray[np.int32], texts: Sequence[str]) -> None:
    """Write a text at the innermost point of each mask, the largest first, where it meets no other text."""
    from scipy.ndimage import distance_transform_edt, maximum_position

    if not len(texts) or not index.any():
        return
    framed = np.pad(_borders(index, 1), 1, constant_values=True)
    framed[1:-1, 1:-1] |= index == 0
    depth = distance_transform_edt(~framed)[1:-1, 1:-1]
    seen = np.unique(index[index > 0])
    points = maximum_position(depth, index, seen)
    font = _font(max(11, max(picture.size) // 80))
    pen = ImageDraw.Draw(picture)
    taken: list[tuple[float, float, float, float]] = []
    for y, x, number in sorted(
        ((int(y), int(x), int(n)) for (y, x), n in zip(points, seen, strict=True)),
        key=lambda p: -depth[p[0], p[1]],
    ):
        text = texts[number - 1].strip()
        left, top, right, bottom = pen.textbbox((x, y), text, font=font, anchor="mm")
        if not text or bottom - top > 2.4 * depth[y, x]:
            continue
        shift = max(0, 3 - left) - max(0, right + 3 - picture.width)
        box = (left + shift - 3, top - 2, right + shift + 3, bottom + 2)
        if any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            continue
        taken.append(box)
        pen.text(
            (x + shift, y),
            text,
            font=font,
            anchor="mm",
            fill="white",
            stroke_width=2,
            stroke_fill=(20, 20, 20),
        )


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which matplotlib ships: the same letters on every machine."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)
