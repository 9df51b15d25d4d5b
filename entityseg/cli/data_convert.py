"""`entityseg data convert`: a dataset to another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entityseg.cli.common import counted, load_masks, note, print_json, progress
from entityseg.cli.data_options import FORMATS, From, Images, Json, Source, Split, Threads
from entityseg.errors import usage_error

if TYPE_CHECKING:
    from entityseg.data.loss import LossReport
    from entityseg.data.records import Dataset

EXAMPLES = (
    "entityseg data convert --from coco-panoptic --to entity panoptic_val2017.json coco_entity",
    "entityseg data convert --to coco-panoptic mini panoptic --split val",
    "entityseg data convert --to coco-instances --encoding polygons --lossy val.json polygons.json",
    "entityseg data convert --to parquet entityseg_train.json train_parquet",
    "entityseg data convert --to entity --subset things --agnostic val.json things",
)


def convert(
    src: Source,
    dst: Annotated[
        Path,
        typer.Argument(
            metavar="DST", help="A folder, or a .json file where the format has one.", show_default=False
        ),
    ],
    to: Annotated[str, typer.Option(help=f"Format of DST: {FORMATS}.", show_default=False)],
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
    if part is not None and to != "entityseg-release":
        message, remedy = "only the release has parts", "Leave it out; --split chooses what of SRC is read."
        raise usage_error("convert.part", message, remedy, field="--part", value=part)
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
