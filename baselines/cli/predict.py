"""`entityseg predict MODEL IMAGES -o DIR`: masks of images as pictures, id maps and JSON."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from entityseg.cli import common
from entityseg.errors import usage_error

if TYPE_CHECKING:
    from entityseg.baselines.inference.image_files import ImageFiles
    from entityseg.data.records import Category

app = common.new_command()


@app.command(
    epilog=common.epilog(
        "entityseg predict weights/cropformer photos/ -o found",
        "entityseg predict weights/mask2former photo.jpg -o found --threshold 0.5",
        "entityseg predict weights/cropformer photos/ -o found --outputs B-C --device cuda --amp",
        "entityseg predict weights/cropformer images/ -o found --gt val.json   # then: entityseg score entity",
        "entityseg predict superpixels photos/ -o found --option regions=400",
    )
)
def predict(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A folder of weights, a registered model, or module:attr."),
    ],
    images: Annotated[
        Path, typer.Argument(metavar="IMAGES", help="An image, or a folder with all images below it.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder to write to. Run again, it goes on where it was.")
    ],
    threshold: Annotated[
        float | None,
        typer.Option(help="Least score of a mask, 0 to 1; all if not given; the released demo takes 0.5."),
    ] = None,
    gt: Annotated[
        Path | None,
        typer.Option(
            help="Ground truth: its images alone, by its ids, so that they can be scored against it."
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Which split of the ground truth's folder, such as val or val_lr.")
    ] = None,
    outputs: Annotated[
        str | None,
        typer.Option(help="Decoder and views: I-O, B-O, B-C or B-OC; the model's own if not given."),
    ] = None,
    overlap: Annotated[
        bool | None,
        typer.Option("--overlap/--disjoint", help="Masks that share pixels, or not; as the task wants."),
    ] = None,
    scales: Annotated[
        str | None, typer.Option(help="Further short sides to look at, such as 640,1040; models of one view.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda:0; CUDA if there is one.")] = None,
    amp: Annotated[bool, typer.Option("--amp", help="Half precision.")] = False,
    compile_: Annotated[bool, typer.Option("--compile", help="Let torch compile the network.")] = False,
    views_at_once: Annotated[
        int | None,
        typer.Option(min=1, help="Views that go through the backbone together; fewer need less memory."),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images that go through the network together.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads that make the masks; all cores if not given.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="name=value for the model; several may be given.")
    ] = None,
    overlays: Annotated[bool, typer.Option("--overlays/--no-overlays", help="Draw pictures.")] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Throw away predictions of other settings or images.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Cut images into masks: pictures, id maps and JSON.

    Images that cannot be read are named, the others are done, and the exit code is 1.
    """
    common.load_masks()
    from entityseg import __version__
    from entityseg.baselines.inference.predicting import predict_images
    from entityseg.data.digests import of_json

    # Before minutes are spent on loading weights.
    files, categories = _images(images, gt, split)
    named = {
        "outputs": outputs, "overlap": overlap, "device": device, "amp": amp or None, "compile": compile_ or None,
        "scales": None if scales is None else _sides(scales), "views_at_once": views_at_once, "threads": threads,
    }  # fmt: skip
    given = {name: value for name, value in named.items() if value is not None} | common.name_values(
        option or [], "--option"
    )
    made, settings = _load(model, given)
    if categories is not None and hasattr(made, "use_categories"):
        made.use_categories(categories)
        settings["categories"] = of_json([[one.id, one.name, one.isthing] for one in categories])
    done = predict_images(
        made, files, out, settings=settings, about={"entityseg": __version__, "model": model},
        threshold=threshold, batch=batch, overlays=overlays, overwrite=overwrite, progress=common.progress,
    )  # fmt: skip
    common.print_findings(done.findings)
    if as_json:
        common.print_json(done.to_json())
    else:
        print(
            f"{done.folder}: {common.counted(done.masks, 'mask')} in {common.counted(done.images, 'image')}, "
            f"{done.predicted:,} predicted, {done.reused:,} there already, "
            f"{common.counted(done.findings.errors, 'error')}"
        )
    return int(bool(done.findings.errors))


def _images(images: Path, gt: Path | None, split: str | None) -> tuple[ImageFiles, Sequence[Category] | None]:
    """Return the images, and the categories that a ground truth has."""
    from entityseg.baselines.inference.image_files import find_images, images_of
    from entityseg.data import load

    if gt is None:
        if split is not None:
            raise typer.BadParameter("a split is one of a ground truth (--gt)", param_hint="--split")
        return find_images(images), None
    if not images.is_dir():
        message = "with a ground truth, this is the folder that its file names start from"
        raise usage_error("predict.images", message, "Name the folder of the images.", file=str(images))
    dataset = load(gt, split=split, check=False, image_root=images)
    return images_of(dataset), dataset.categories


def _load(name: str, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return a model, and the settings that its results depend on."""
    from entityseg import registry

    folder = Path(name)
    if folder.is_dir():
        if "path" in options:
            remedy = "Leave one of them out."
            raise usage_error(
                "model.options", "the folder of the weights is given twice", remedy, field="path", value=name
            )
        options = {**options, "path": name}
        name = "entityseg.baselines.inference.segmenter:FolderSegmenter"
    elif folder.is_file():
        message = "a model is a folder, and this is a file"
        remedy = "Make a folder of it: entityseg models convert FILE.pth FOLDER."
        raise usage_error("model.file", message, remedy, file=name)
    elif os.sep in name:
        remedy = "Check the path; `entityseg train` and `entityseg models convert` write such folders."
        raise usage_error("model.folder", "there is no such folder of weights", remedy, file=name)
    elif ":" not in name and name not in registry.names():
        message, remedy = (
            "there is neither a folder nor a model of this name",
            registry.suggestion(name, registry.names()),
        )
        raise usage_error("model.unknown", message, remedy, field="model", value=name)
    made = registry.load(name, options)
    if not hasattr(made, "segment") or hasattr(made, "reveal"):
        grounds = "the model grounds texts, and cuts no images"
        message = "the model must be told the truth" if hasattr(made, "reveal") else grounds
        raise usage_error("model.protocol", message, "Name another one.", field="model", value=name)
    weights = _digests(Path(str(options["path"]))) if "path" in options else {}
    # Where and how fast makes no difference; which folder is told by what is in it.
    left_out = {"device", "compile", "threads"} | ({"path"} if weights else set())
    changing = {name: options[name] for name in sorted(options.keys() - left_out)}
    return made, {"model": name, "options": changing, "weights": weights}


def _digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file that makes a model, so that other weights in its folder are noticed."""
    names = ("config.json", "model.safetensors", "preprocessor_config.json")
    found = {}
    for name in names:
        if (folder / name).is_file():
            with open(folder / name, "rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _sides(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list such as 640,1040", param_hint="--scales") from None
