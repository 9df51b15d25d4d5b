"""`entityseg stats compute`: measure a dataset into a folder of tables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entityseg.cli import common

if TYPE_CHECKING:
    from entityseg.stats.dataset.schema import Statistics

EXAMPLES = (
    "entityseg stats compute mini --split val -o statistics/mini",
    "entityseg stats compute panoptic_val2017.json -o statistics/coco --hash --jobs 2",
    "entityseg stats compute EntitySeg --split train -o statistics/train --hash --against statistics/val",
)


class Stuff(StrEnum):
    """What of stuff is one entity."""

    annotated = "annotated"
    joined = "joined"
    parts = "parts"


class Crowd(StrEnum):
    """What crowd regions count for."""

    covers = "covers"
    ignored = "ignored"
    entity = "entity"


class Perimeter(StrEnum):
    """Estimators of the perimeter."""

    crofton = "crofton"
    contour = "contour"
    skimage = "skimage"
    edges = "edges"


class Parts(StrEnum):
    """What of a mask in several parts is one shape."""

    whole = "whole"
    each = "each"


class Hull(StrEnum):
    """What the convex hull goes around."""

    corners = "corners"
    centres = "centres"


Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="A folder, or an annotation file.", show_default=False)
]
From = Annotated[str | None, typer.Option("--from", help="Format of DATA, where several fit.")]
Split = Annotated[
    str | None, typer.Option(help="Which reading of DATA, where it has several, such as val_lr.")
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Images side by side; all cores if not given.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def compute(
    data: Data,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the tables. Run again, the command goes on there.")
    ],
    from_: From = None,
    split: Split = None,
    images: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Folder of the images, where they are not found by themselves."
        ),
    ] = None,
    sources: Annotated[
        Path | None,
        typer.Option(
            help="Where the images come from, where their records do not say it; by default the url.json beside DATA."
        ),
    ] = None,
    stuff: Annotated[
        Stuff,
        typer.Option(
            help="Stuff as annotated, joined to one entity a category and image, or cut into parts."
        ),
    ] = Stuff.annotated,
    crowd: Annotated[
        Crowd, typer.Option(help="Crowd regions cover pixels, are ignored, or are entities like all others.")
    ] = Crowd.covers,
    perimeter: Annotated[Perimeter, typer.Option(help="Estimator of the perimeter.")] = Perimeter.crofton,
    holes: Annotated[
        bool, typer.Option("--holes/--no-holes", help="Whether outlines of holes count in the perimeter.")
    ] = True,
    parts: Annotated[
        Parts, typer.Option(help="A mask in several parts as one shape, or each part for itself.")
    ] = Parts.whole,
    hull: Annotated[
        Hull, typer.Option(help="Convex hull around the pixels' corners or centres.")
    ] = Hull.corners,
    hash_: Annotated[
        bool, typer.Option("--hash", help="Read the images too, to find those that are nearly the same.")
    ] = False,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against", help="Statistics of another set (made with --hash) to find the same images in."
        ),
    ] = None,
    class_density: Annotated[
        bool, typer.Option("--class-density", help="Write where in the image each category lies.")
    ] = False,
    bootstrap: Annotated[
        int, typer.Option(min=0, max=100_000, help="Resamples of the images for the intervals; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    shard_size: Annotated[
        int, typer.Option(min=1, help="Images a shard, which is what a kill can cost.")
    ] = 128,
    jobs: Jobs = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Throw away other statistics in the folder.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure a dataset into a folder of tables.

    Table I, shapes, sizes, classes, overlap, duplicates; as Parquet, JSON, CSV and LaTeX.

    Killed at any point, the same command goes on. docs/statistics.md defines every column.
    """
    common.load_masks()
    from entityseg.stats.dataset.choices import DatasetChoices
    from entityseg.stats.dataset.compute import compute as compute_statistics
    from entityseg.stats.shape import ShapeChoices

    shape = ShapeChoices(perimeter.value, holes, parts.value, hull.value)
    found = compute_statistics(
        data, out, format=from_, split=split, image_root=images, sources=sources,
        choices=DatasetChoices(stuff.value, crowd.value, shape), hashes=hash_, class_density=class_density,
        against=against or (), bootstrap=bootstrap, seed=seed, shard_size=shard_size, jobs=jobs,
        overwrite=overwrite, progress=common.progress, warn=common.print_findings,
    )  # fmt: skip
    if as_json:
        common.print_json(found.to_json())
    else:
        print(_text(found))
    common.note(f"written: {out}")


def _text(found: Statistics) -> str:
    about = found.identity
    rows = []
    for one in found.tables["table1"].records():
        interval = "" if one["low"] is None else f"{_shown(one['low'])} to {_shown(one['high'])}"
        rows.append(
            [f"{one['figure']} ({one['average']})", _shown(one["value"]), interval, _shown(one["excluded"])]
        )
    images, annotations = (
        common.counted(about.images, "image"),
        common.counted(about.annotations, "annotation"),
    )
    notable = [
        f"  {one['what']}: {one['count']:,}" for one in found.tables["exclusions"].records() if one["count"]
    ] + [
        f"  {one['violation']}: {one['count']:,}"
        for one in found.tables["violations"].records()
        if one["count"] and "overlap" in str(one["violation"])
    ]
    groups = {one["group"] for one in found.tables["duplicates"].records()}
    notable += [f"  groups of images that are nearly the same: {len(groups):,}"] if groups else []
    lines = [
        f"{about.name}: {images}, {annotations} ({about.format})",
        "",
        common.table(["figure (mean over)", "", "95 % interval", "left out"], rows),
        *(["", *notable] if notable else []),
    ]
    return "\n".join(lines)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.4f}"
    return "-" if value is None else f"{value:,}"
