"""`entityseg data show`: an image with its masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entityseg.cli.common import counted, load_masks, note, print_json
from entityseg.cli.data_options import From, Images, Json, Source, Split
from entityseg.errors import usage_error

if TYPE_CHECKING:
    from entityseg.data.records import Dataset

EXAMPLES = (
    "entityseg data show mini 1 --split val -o overlay.png --labels",
    "entityseg data show val.json --index 0 -o first.png",
    "entityseg data show val.json 397133 --pred predictions.json -o errors.png",
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
    if path is not None and out.resolve() == path.resolve():
        message, remedy = "the picture would replace the image", "Name another file."
        raise usage_error("show.image", message, remedy, field="--out", value=str(out))
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
