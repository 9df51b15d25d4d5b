"""`entityseg data`: look at, convert, check, draw and make datasets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entityseg.cli import data_refs
from entityseg.cli.common import (
    counted,
    epilog,
    load_masks,
    new_app,
    note,
    percent,
    print_findings,
    print_json,
    progress,
    table,
)
from entityseg.errors import usage_error

if TYPE_CHECKING:
    from entityseg.data.formats import Reading
    from entityseg.data.loss import LossReport
    from entityseg.data.records import Dataset
    from entityseg.report.summary import Summary

app = new_app(
    "Look at, check, convert and make datasets.",
    [
        "entityseg data mini mini",
        "entityseg data info mini --split val",
        "entityseg data convert mini panoptic --split val --to coco-panoptic",
        "entityseg data show mini 1 --split val -o overlay.png --labels",
    ],
)

_FORMATS = "entity, entityseg-release, coco-instances, coco-panoptic, semantic, idmap, parquet"
Source = Annotated[
    Path, typer.Argument(metavar="SRC", help="A folder, or an annotation file.", show_default=False)
]
From = Annotated[str | None, typer.Option("--from", help=f"Format of SRC, where several fit: {_FORMATS}.")]
Split = Annotated[
    str | None, typer.Option(help="Which reading of SRC, where it has several, such as val_lr.")
]
Images = Annotated[
    Path | None, typer.Option(help="Folder of the images, where they are not found by themselves.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Images side by side; all cores if not given.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command(
    epilog=epilog(
        "entityseg data info annotations/entityseg_val.json",
        "entityseg data info mini                 # several readings: lists them",
        "entityseg data info mini --split val --json",
    )
)
def info(
    src: Source, from_: From = None, split: Split = None, threads: Threads = None, as_json: Json = False
) -> None:
    """Say what a dataset is: format, images, masks, classes, sizes, coverage, licence."""
    load_masks()
    from entityseg.data.loading import choose, find_readings, load
    from entityseg.report.summary import summarise

    found = find_readings(src, format=from_)
    if split is None and len(found) > 1:
        _list_readings(src, found, as_json)
        return
    reading = choose(src, format=from_, split=split)
    dataset = load(src, format=from_, split=split, threads=threads, progress=progress)
    summary = summarise(dataset, threads=threads, progress=progress)
    what = {
        "format": reading.format,
        "split": reading.split,
        "path": str(reading.path),
        "image_root": None if dataset.image_root is None else str(dataset.image_root),
        "categories": len(dataset.categories),
        "warnings": dataset.warnings.to_json(),
    }
    if as_json:
        print_json({**what, **summary.to_json()})
        return
    print_findings(dataset.warnings)
    for name, value in _info_rows(reading, dataset, summary):
        print(f"{name:<18}{value}")


def _list_readings(src: Path, found: list[Reading], as_json: bool) -> None:
    if as_json:
        listed = [{"format": one.format, "split": one.split, "path": str(one.path)} for one in found]
        print_json({"readings": listed})
        return
    print(f"{src} can be read in {len(found)} ways; choose one by --split (and --from):\n")
    print(table(["split", "format"], [[one.split, one.format] for one in found]))


def _info_rows(reading: Reading, dataset: Dataset, summary: Summary) -> list[tuple[str, str]]:
    figures = summary.to_json()
    kinds = (
        f"{summary.things:,} things, {summary.stuff:,} stuff"
        if summary.things or summary.stuff
        else "not said"
    )

    def spread(name: str, digits: int = 1) -> str:
        values = figures[name]
        if values is None:
            return "-"
        mean, least, most = (f"{values[key]:,.{digits}f}" for key in ("mean", "min", "max"))
        return f"{mean} on average, {least} to {most}"

    coverage = figures["coverage"]
    return [
        ("format", f"{reading.format} (split {reading.split})"),
        ("file", str(reading.path)),
        ("images", f"{len(dataset):,}, {figures['empty_images']:,} of them without masks"),
        ("masks", f"{len(summary.areas):,}, and {summary.crowd:,} crowd"),
        ("masks per image", spread("masks_per_image")),
        ("mask area", f"{spread('mask_area', 0)} pixels"),
        ("width", f"{spread('width', 0)} pixels"),
        ("height", f"{spread('height', 0)} pixels"),
        ("coverage", "-" if coverage is None else f"{percent(coverage['mean'])} % of the pixels on average"),
        ("overlap", f"in {counted(summary.overlapping, 'image')}"),
        ("categories", f"{len(dataset.categories):,}, {len(summary.categories_used):,} of them used"),
        ("things and stuff", kinds),
        ("licence", summary.license or "not said in the file"),
    ]


@app.command(
    epilog=epilog(
        "entityseg data convert --from coco-panoptic --to entity panoptic_val2017.json coco_entity",
        "entityseg data convert --to coco-panoptic mini panoptic --split val",
        "entityseg data convert --to coco-instances --encoding polygons --lossy val.json polygons.json",
        "entityseg data convert --to parquet entityseg_train.json train_parquet",
        "entityseg data convert --to entity --subset things --agnostic val.json things",
    )
)
def convert(
    src: Source,
    dst: Annotated[
        Path,
        typer.Argument(
            metavar="DST", help="A folder, or a .json file where the format has one.", show_default=False
        ),
    ],
    to: Annotated[str, typer.Option(help=f"Format of DST: {_FORMATS}.", show_default=False)],
    from_: From = None,
    split: Split = None,
    lossy: Annotated[
        bool, typer.Option("--lossy", help="Allow losses; they are measured and recorded.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    encoding: Annotated[str | None, typer.Option(help="Of coco-instances: rle, counts or polygons.")] = None,
    renumber: Annotated[
        bool, typer.Option("--renumber", help="Of coco-panoptic: number segments anew.")
    ] = False,
    part: Annotated[
        str | None, typer.Option(help="Of entityseg-release: the part to write, such as val_lr.")
    ] = None,
    scheme: Annotated[str | None, typer.Option(help="Of entityseg-release: entityv2 or entityseg.")] = None,
    compat: Annotated[
        bool, typer.Option("--compat", help="COCO-Entity as published, quirks included.")
    ] = False,
    agnostic: Annotated[
        bool, typer.Option("--agnostic", help="One class, the original one kept beside it.")
    ] = False,
    class_aware: Annotated[bool, typer.Option("--class-aware", help="Undo --agnostic.")] = False,
    subset: Annotated[
        str | None, typer.Option(help="things, stuff, top-N, top-N-pixels, or category ids such as 1,5,9.")
    ] = None,
    drop_empty: Annotated[
        bool, typer.Option("--drop-empty", help="Leave out images that --subset empties.")
    ] = False,
    low_resolution: Annotated[
        bool,
        typer.Option("--low-resolution", help="Bring masks to 800/1333 pixels, as the release's LR set."),
    ] = False,
    images_out: Annotated[
        Path | None, typer.Option(help="With --low-resolution: folder for the resized images.")
    ] = None,
    images: Images = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Convert a dataset to another format; nothing is lost unless --lossy says so."""
    load_masks()
    from entityseg.data.conversion import convert as run

    if images_out is not None and not low_resolution:
        raise usage_error(
            "convert.images", "images are only resized", "Give --low-resolution too.", field="--images-out"
        )
    options: dict[str, Any] = {
        "encoding": encoding,
        "split": part,
        "scheme": scheme,
        "renumber": renumber or None,
    }
    options = {key: value for key, value in options.items() if value is not None}
    changed = agnostic or class_aware or subset is not None or low_resolution
    source: Any = src
    if changed:
        source, from_ = _transformed(
            src, from_, split, images, threads, agnostic=agnostic, class_aware=class_aware, subset=subset,
            drop_empty=drop_empty, low_resolution=low_resolution, images_out=images_out,
        )  # fmt: skip
    elif drop_empty:
        raise usage_error("convert.empty", "there is no subset", "Give --subset too.", field="--drop-empty")
    done = run(
        source, dst, to=to, from_=from_, split=None if changed else split, lossy=lossy,
        coco_entity="compat" if compat else None,
        image_root=None if changed else images, options=options, overwrite=overwrite, threads=threads,
        progress=progress,
    )  # fmt: skip
    if as_json:
        print_json({"path": str(done.path), **done.report})
        return
    target = done.report["target"]
    what = f"{counted(target['image_count'], 'image')}, {counted(target['annotation_count'], 'mask')}"
    print(f"{done.path}: {target['format']}, {what}")
    for loss in done.losses:
        print(f"  lost: {loss.message} ({loss.done})")
    if done.loss is not None:
        for line in _loss_lines(done.loss):
            print(f"  {line}")


def _transformed(
    src: Path,
    from_: str | None,
    split: str | None,
    images: Path | None,
    threads: int | None,
    *,
    agnostic: bool,
    class_aware: bool,
    subset: str | None,
    drop_empty: bool,
    low_resolution: bool,
    images_out: Path | None,
) -> tuple[Dataset, str]:
    """Read a dataset and change it; return it with the name of its format."""
    from entityseg.data import transforms
    from entityseg.data.loading import choose, load

    reading = choose(src, format=from_, split=split)
    dataset = load(src, format=from_, split=split, image_root=images, threads=threads, progress=progress)
    if class_aware:
        dataset = transforms.class_aware(dataset)
    if subset is not None:
        dataset = _subset(dataset, subset, drop_empty, threads)
    if low_resolution:
        done = transforms.to_low_resolution(dataset, image_out=images_out, threads=threads, progress=progress)
        dataset = done.dataset
        if done.vanished:
            note(f"{counted(len(done.vanished), 'entity', 'entities')} vanished at low resolution")
    if agnostic:
        dataset = transforms.agnostic(dataset)
    return dataset, reading.format


def _subset(dataset: Dataset, which: str, drop_empty: bool, threads: int | None) -> Dataset:
    from entityseg.data import transforms

    if which in ("things", "stuff"):
        return transforms.subset(dataset, thing=which == "things", drop_empty=drop_empty)
    name, _, rest = which.partition("-")
    count, _, by = rest.partition("-")
    if name == "top" and count.isdecimal() and by in ("", "entities", "pixels"):
        ids = transforms.top(
            dataset,
            int(count),
            by="pixels" if by == "pixels" else "entities",
            threads=threads,
            progress=progress,
        )
        return transforms.subset(dataset, categories=ids, drop_empty=drop_empty)
    numbers = which.replace(" ", "").split(",")
    if not all(number.isdecimal() and len(number) < 19 for number in numbers):
        message = "there is no such subset"
        remedy = "Use things, stuff, top-N, top-N-pixels, or category ids such as 1,5,9."
        raise usage_error("subset.name", message, remedy, field="--subset", value=which)
    return transforms.subset(dataset, categories=[int(number) for number in numbers], drop_empty=drop_empty)


def _loss_lines(loss: LossReport) -> list[str]:
    """Return what happened to the masks of a lossy conversion."""
    figures = loss.to_json()
    if not figures["masks"]:
        return []
    exact, changed, missing = figures["exact"], figures["changed"], figures["missing"]
    return [
        f"masks: {exact:,} exact, {changed:,} changed, {missing:,} of them missing",
        f"IoU with the source: {figures['mean_iou']:.4f} on average, {figures['min_iou']:.4f} at least",
        f"lost: {counted(figures['holes_lost'], 'hole')}, {counted(figures['components_lost'], 'component')}",
    ]


@app.command(
    epilog=epilog(
        "entityseg data doctor EntitySeg/",
        "entityseg data doctor EntitySeg/ --split val --quick",
        "entityseg data doctor val.json --json",
    )
)
def doctor(
    src: Source,
    from_: From = None,
    split: Split = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave the masks out.")] = False,
    min_coverage: Annotated[
        float, typer.Option(min=0, max=1, help="Share of an image that its entities should cover.")
    ] = 0.99,
    images: Images = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Check a folder or file: what is missing, misplaced, mis-sized, overlapping or uncovered."""
    load_masks()
    from entityseg.data.doctor import examine

    report = examine(
        src, format=from_, split=split, quick=quick, min_coverage=min_coverage, image_root=images,
        threads=threads, progress=progress,
    )  # fmt: skip
    if as_json:
        print_json(report.to_json())
    else:
        print("\n".join(report.lines()))
    if report.exit_code:
        raise typer.Exit(report.exit_code)


@app.command(
    epilog=epilog(
        "entityseg data show mini 1 --split val -o overlay.png --labels",
        "entityseg data show val.json --index 0 -o first.png",
        "entityseg data show val.json 397133 --pred predictions.json -o errors.png",
    )
)
def show(
    src: Source,
    image_id: Annotated[
        str | None,
        typer.Argument(
            metavar="IMAGE", help="Id or file name of the image; or give --index.", show_default=False
        ),
    ] = None,
    index: Annotated[int | None, typer.Option(min=0, help="Position of the image, from 0.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="PNG file to write.")] = Path("overlay.png"),
    labels: Annotated[bool, typer.Option("--labels", help="Write the categories.")] = False,
    ids: Annotated[bool, typer.Option("--ids", help="Write the annotation ids.")] = False,
    pred: Annotated[
        Path | None, typer.Option(help="Predictions to draw beside the ground truth, with the errors.")
    ] = None,
    max_side: Annotated[int, typer.Option(min=16, help="Longest side of a picture, in pixels.")] = 1600,
    opacity: Annotated[float, typer.Option(min=0, max=1, help="Of the masks.")] = 0.5,
    from_: From = None,
    split: Split = None,
    images: Images = None,
    as_json: Json = False,
) -> None:
    """Draw an image with its masks as PNG; with --pred, ground truth, predictions and errors side by side."""
    load_masks()
    from entityseg.data.images import find_image
    from entityseg.data.loading import load
    from entityseg.report.overlay import beside, draw, draw_triple, load_picture, save_png

    if out.suffix.lower() != ".png":
        raise usage_error(
            "show.png", "the picture is written as PNG", "Name a .png file.", field="--out", value=str(out)
        )
    # Only the masks of one image are needed, and they are checked when they are read.
    dataset = load(src, format=from_, split=split, image_root=images, check=False)
    position = _position(dataset, image_id, index)
    one = dataset[position]
    path = find_image(dataset, one.image)
    picture = load_picture(path, size=one.image.size, max_side=max_side) if path is not None else None
    if picture is None:
        note(f"{one.image.file_name}: the image was not found (see --images); the masks are drawn on grey")
    if pred is None:
        names = [
            dataset.category_of[c].name.strip() if c in dataset.category_of else str(c)
            for c in one.category_ids.tolist()
        ]
        drawn = draw(
            picture, one.masks, labels=names if labels else None, numbers=one.ids.tolist() if ids else None,
            max_side=max_side, opacity=opacity,
        )  # fmt: skip
    else:
        from entityseg.predictions import read_predictions

        predictions = read_predictions(pred, dataset)
        masks, scores = predictions.masks(position), predictions.scores[predictions.rows(position)]
        kept = masks.areas > 0
        truth = one.masks[~one.iscrowd]
        drawn = beside(draw_triple(picture, truth, masks[kept], scores[kept], max_side=max_side))
    save_png(drawn, out)
    if as_json:
        print_json(
            {
                "path": str(out),
                "image_id": one.image.id,
                "file_name": one.image.file_name,
                "image_found": picture is not None,
                "masks": len(one),
                "width": drawn.width,
                "height": drawn.height,
            }
        )
    else:
        print(
            f"{out}: {one.image.file_name}, {counted(len(one), 'mask')}, "
            f"{drawn.width} x {drawn.height} pixels"
        )


def _position(dataset: Dataset, image_id: str | None, index: int | None) -> int:
    """Return the position of the image that was asked for, by id, file name or position."""
    if (image_id is None) == (index is None):
        message = "one image must be chosen"
        raise usage_error("show.image", message, "Give its id or file name, or --index.", field="IMAGE")
    if index is not None:
        if index >= len(dataset):
            message = f"the dataset has {counted(len(dataset), 'image')}"
            raise usage_error("show.index", message, "Positions count from 0.", field="--index", value=index)
        return index
    wanted = [i for i, image in enumerate(dataset.images) if str(image.id) == image_id]
    wanted = wanted or [
        i
        for i, image in enumerate(dataset.images)
        if image_id in (image.file_name, Path(image.file_name).name)
    ]
    if len(wanted) != 1:
        some = ", ".join(str(image.id) for image in dataset.images[:5])
        message = (
            "no image has this id or file name" if not wanted else f"{len(wanted)} images have this file name"
        )
        remedy = f"Use an id of the dataset, such as {some}." if some else "The dataset has no images."
        raise usage_error("show.image", message, remedy, field="IMAGE", value=image_id)
    return wanted[0]


@app.command(
    epilog=epilog(
        "entityseg data mini mini",
        "entityseg data mini small --scenes 8 --seed 7",
        "entityseg data mini everything --tasks",
    )
)
def mini(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder to write, new or empty.", show_default=False)
    ],
    scenes: Annotated[int, typer.Option(min=4, help="How many scenes; a quarter is for validation.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal bytes.")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; all cores if not given.")] = None,
    tasks: Annotated[
        bool, typer.Option("--tasks", help="Add small sets of all other tasks (see docs/mini.md).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the mini dataset: scenes with perfect masks, in the layout of the EntitySeg release."""
    load_masks()
    from entityseg.data.loading import find_readings
    from entityseg.data.mini.write import write_mini
    from entityseg.data.mini.write_tasks import LEAST_SCENES, SET_FOLDERS, write_mini_tasks

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        message = "the folder is there already and is not empty"
        raise usage_error("mini.target", message, "Name another folder.", file=str(out))
    if tasks and scenes < LEAST_SCENES:
        message = f"sets for tasks need at least {LEAST_SCENES} scenes"
        raise usage_error("mini.scenes", message, "Make more scenes.", field="--scenes", value=scenes)
    write_mini(out, seed=seed, scenes=scenes, jobs=jobs, progress=progress)
    found = find_readings(out)
    folder = write_mini_tasks(out, seed=seed, progress=progress) if tasks else None
    if as_json:
        told = {"path": str(out), "scenes": scenes, "seed": seed, "splits": [one.split for one in found]}
        print_json(told | ({"tasks": str(folder)} if folder else {}))
        return
    print(f"{out}: {counted(scenes, 'scene')}; splits {', '.join(one.split for one in found)}")
    if folder:
        print(f"{folder}: sets of other tasks, {', '.join(SET_FOLDERS)}")


app.command("refs", epilog=epilog(*data_refs.EXAMPLES))(data_refs.refs)
