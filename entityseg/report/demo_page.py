"""The page of the demonstration: what was made, converted and scored, with pictures and plots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import entityseg
from entityseg.data.images import find_image
from entityseg.data.records import Dataset
from entityseg.errors import InputError
from entityseg.masks.runlengths import RunLengths
from entityseg.metrics.precision import FIGURES
from entityseg.predictions.records import Predictions
from entityseg.report import plots
from entityseg.report.colours import FALSE, MATCHED, MISSED
from entityseg.report.demo import Conversion, Demo
from entityseg.report.overlay import draw, draw_triple, fits, load_picture, match
from entityseg.report.page import Gallery, Page, Picture, Section, percent, score_table, write_page

_SHOWN = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR@100")
_SIDE = 1000
_WIDE_SIDE = 1400


def write_demo_page(demo: Demo, *, own_data: bool, own_predictions: bool) -> None:
    """Write the page of a demonstration to `demo.page`.

    Args:
        demo: what it made.
        own_data: the dataset is the user's, not the mini dataset.
        own_predictions: the predictions are the user's, not made ones.
    """
    sections = [
        _dataset_section(demo, own_data),
        _conversion_section(demo.conversion),
        _scores_section(demo, own_predictions),
        _compared_section(demo),
        *(chapter.section for chapter in demo.chapters.values()),
    ]
    best = next(iter(demo.scores.items()))
    facts = [
        (f"{len(demo.dataset):,}", "images"),
        (f"{len(demo.summary.areas):,}", "entities"),
        (f"{demo.summary.counts.mean():.1f}" if len(demo.dataset) else "-", "entities an image, on average"),
        (
            f"{100 * demo.summary.coverage.mean():.1f} %" if len(demo.dataset) else "-",
            "of the pixels covered",
        ),
        (percent(best[1].values["AP"]), f"{best[1].metric} of “{best[0]}”, in percent"),
    ]
    what = f"the dataset {_name(demo.dataset)}" if own_data else "the built-in mini dataset"
    page = Page(
        title="entityseg: a demonstration",
        lead=f"Made from {what}: what is in it, what a conversion keeps, and how predictions are scored.",
        facts=facts,
        sections=sections,
        footer=f"Made by entityseg {entityseg.__version__}. The page needs no network and runs no scripts.",
    )
    write_page(demo.page, page)


def _name(dataset: Dataset) -> str:
    return dataset.path.name if dataset.path is not None else "given"


def _dataset_section(demo: Demo, own_data: bool) -> Section:
    summary, dataset = demo.summary, demo.dataset
    text = [
        "Every entity of an image has a mask of its own; things and stuff are alike, and masks "
        "do not share pixels. Outlines are drawn at the size of the picture, so they are crisp at any resolution."
    ]
    if not own_data:
        text.append(
            "The mini dataset is made by a program: pictures, masks and words. It has the layout of the "
            "EntitySeg release; its validation split is shown here."
        )
    example = []
    if demo.examples:
        index = demo.examples[-1]
        one = dataset[index]
        names = [_category_name(dataset, int(number)) for number in one.category_ids]
        picture = draw(_picture(dataset, index, _WIDE_SIDE), one.masks, labels=names, max_side=_WIDE_SIDE)
        caption = (
            f"{one.image.file_name}: {len(one)} entities, {one.image.width} × {one.image.height} pixels."  # noqa: RUF001
        )
        example.append(Picture.of_image(picture, caption, f"Annotated image with {len(one)} entities"))
    figures = [
        Picture.of_plot(
            plots.entities_per_image(summary.counts), "counts", "How many images have how many entities.",
            "Histogram of entities an image",
        ),
        Picture.of_plot(
            plots.entity_sizes(summary.shares), "sizes",
            "How large entities are, as a share of their image (logarithmic).", "Histogram of entity sizes",
        ),
        Picture.of_plot(
            plots.category_counts(summary.by_name(dataset)), "categories", "The most frequent categories.",
            "Bars of the most frequent categories",
        ),
        Picture.of_plot(
            plots.image_sizes(summary.widths, summary.heights), "images", "Width and height of the images.",
            "Scatter plot of image sizes",
        ),
    ]  # fmt: skip
    return Section("Dataset", text, galleries=[Gallery(example, 1), Gallery(figures, 2)])


def _conversion_section(conversion: Conversion) -> Section:
    title = "Conversion there and back"
    if conversion.refused is not None:
        lines = conversion.refused.lines()
        text = [
            "COCO panoptic keeps one id a pixel in a PNG. Something of this dataset does not fit in there."
        ]
        return Section(title, text, "Refused, because something would be lost.", good=False, lines=lines[:5])
    text = [
        "The entities were written as COCO panoptic (a JSON and one PNG an image), read again, and written "
        "as entity JSON. Then every mask was compared with the first one, pixel for pixel, with its id, "
        "category, crowd flag and other keys.",
    ]
    if conversion.lossless:
        verdict = (
            f"Nothing was lost: {conversion.masks:,} masks in {conversion.images:,} images are the same."
        )
        return Section(title, text, verdict)
    verdict = f"{len(conversion.differences):,} differences among {conversion.masks:,} masks."
    return Section(title, text, verdict, good=False, lines=conversion.differences.lines()[:10])


def _scores_section(demo: Demo, own_predictions: bool) -> Section:
    names = [name for name in _SHOWN if name in FIGURES]
    text = [
        "AP^e is COCO's mask AP without classes, for masks that do not overlap. It is the mean over ten IoU "
        "thresholds, from .50 to .95; s, m and l are small, medium and large entities. The interval says "
        "how far the figure would move with other images.",
    ]
    if not own_predictions:
        text.append(
            "Both sets of predictions are made from the ground truth: the good one has slightly wavering "
            "borders and few misses, the poor one merges, splits, moves and misses entities, and its scores "
            "say little."
        )
    curves = {name: curve for name, curve in demo.curves.items() if curve is not None}
    pictures = [
        Picture.of_plot(
            plots.score_bars(demo.scores), "bars", "Main figures with their 95 % intervals.",
            "Bars of scores",
        )
    ]  # fmt: skip
    if curves:
        pictures.append(
            Picture.of_plot(
                plots.ap_by_iou(curves), "iou",
                "AP at each IoU threshold: the sooner it falls, the less exact the borders.", "AP by IoU",
            )
        )  # fmt: skip
    for number, (name, curve) in enumerate(curves.items()):
        caption = f"Precision and recall of “{name}”, one curve for each IoU threshold."
        plot = plots.pr_curves(curve)
        pictures.append(Picture.of_plot(plot, f"pr{number}", caption, f"Precision-recall curves of {name}"))
    table = score_table(dict(demo.scores), names)
    return Section("Scores", text, table=table, galleries=[Gallery(pictures, 2)])


def _compared_section(demo: Demo) -> Section:
    text = [
        "A prediction that found an entity (IoU of at least .5) has that entity's colour; all others have "
        "colours of their own. In the pictures of errors:",
    ]
    key = [
        (_css(MATCHED), "found"),
        (_css(MISSED), "missed"),
        (_css(FALSE), "predicted, and matches nothing (hatched)"),
    ]
    return Section("Predictions beside the ground truth", text, key=key, galleries=list(_compared(demo)))


def _compared(demo: Demo) -> Iterator[Gallery]:
    from entityseg.predictions import read_predictions

    gt = demo.gt
    files = {name: read_predictions(path, gt) for name, path in demo.prediction_files.items()}
    for index in demo.compared:
        image = _picture(gt, index, _SIDE)
        crowd = gt.iscrowd[gt.rows(index)]
        true = gt.masks(index)[~crowd]
        name = Path(gt.images[index].file_name).name
        predicted: list[Picture] = []
        wrong: list[Picture] = []
        for who, predictions in files.items():
            masks, scores = _best(predictions, index)
            first, second, errors = draw_triple(image, true, masks, scores, max_side=_SIDE)
            if not predicted:
                predicted.append(
                    Picture.of_image(first, f"Ground truth: {len(true)} entities.", f"Entities of {name}")
                )
            found = int((match(true, masks, scores).pred_of_gt >= 0).sum())
            caption = f"Predictions “{who}”: {len(masks)}."
            predicted.append(Picture.of_image(second, caption, f"Predictions {who} for {name}"))
            caption = f"“{who}” finds {found} of {len(true)}; {len(masks) - found} match nothing."
            wrong.append(Picture.of_image(errors, caption, f"Errors of {who} in {name}"))
        if len(wrong) > 1 and image is not None:
            wrong.insert(0, Picture.of_image(image, "The image.", name))
        yield Gallery([*predicted, *wrong], 3, name)


def _css(colour: tuple[int, int, int]) -> str:
    return f"rgb{colour}"


def _best(predictions: Predictions, index: int) -> tuple[RunLengths, NDArray[np.float64]]:
    """Return the predictions of an image that have pixels, and their scores."""
    masks, scores = predictions.masks(index), predictions.scores[predictions.rows(index)]
    kept = np.flatnonzero(masks.areas > 0)
    return masks[kept], scores[kept]


def _picture(dataset: Dataset, index: int, side: int) -> Image.Image | None:
    """Return an image, no larger than needed; None, which draws on grey, if none fits its masks."""
    image = dataset.images[index]
    path = find_image(dataset, image)
    if path is None:
        return None
    try:
        picture = load_picture(path, size=image.size, max_side=side)
    except InputError:
        return None
    return picture if fits(picture.size, image.size) else None


def _category_name(dataset: Dataset, category_id: int) -> str:
    category = dataset.category_of.get(category_id)
    return category.name.strip() if category else str(category_id)
