"""`entityseg predict MODEL IMAGES -o DIR`: masks of images as pictures, id maps and JSON."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from entityseg.cli import common
from entityseg.errors import usage_error

app = common.new_command()


@app.command(
    epilog=common.epilog(
        "entityseg predict weights/cropformer photos/ -o found",
        "entityseg predict weights/mask2former photo.jpg -o found --threshold 0.5",
        "entityseg predict weights/cropformer photos/ -o found --outputs B-C --device cuda --amp",
        "entityseg predict superpixels photos/ -o found --option regions=400",
    )
)
def predict(
    model: Annotated[str, typer.Argument(help="A folder of weights, a registered model, or module:attr.")],
    images: Annotated[Path, typer.Argument(help="An image, or a folder with all images below it.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder to write to. Run again, it goes on where it was.")
    ],
    threshold: Annotated[
        float, typer.Option(help="Least score of a mask; the released demo takes 0.5.")
    ] = 0.0,
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
        int | None, typer.Option(min=1, help="Threads that make the masks; all cores.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="name=value for the model; several may be given.")
    ] = None,
    overlays: Annotated[bool, typer.Option("--overlays/--no-overlays", help="Draw pictures.")] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Throw away predictions of other settings.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Cut images into masks: pictures, id maps and JSON.

    Images that cannot be read are named, the others are done, and the exit code is 1.
    """
    common.load_masks()
    from entityseg import registry
    from entityseg.baselines.inference.predicting import find_images, predict_images

    find_images(images)  # Before minutes are spent on loading weights.
    named = {
        "outputs": outputs, "overlap": overlap, "device": device, "amp": amp or None, "compile": compile_ or None,
        "scales": None if scales is None else _sides(scales), "views_at_once": views_at_once, "threads": threads,
    }  # fmt: skip
    given = {name: value for name, value in named.items() if value is not None} | common.name_values(
        option or [], "--option"
    )
    settings: dict[str, Any] = {"model": model, "options": _that_change_results(given)}
    if Path(model).is_dir():
        settings["weights"] = _digests(Path(model))
        made = _from_folder(Path(model), given)
    else:
        if "path" in given:
            settings["weights"] = _digests(Path(str(given["path"])))
        made = registry.load(model, given)
    if not hasattr(made, "segment"):
        message = "the model grounds texts, and cuts no images"
        raise usage_error(
            "model.protocol", message, "Name one that has `segment`.", field="model", value=model
        )
    done = predict_images(
        made, images, out, settings=settings, threshold=threshold, batch=batch, overlays=overlays,
        overwrite=overwrite, progress=common.progress,
    )  # fmt: skip
    common.print_findings(done.findings)
    if as_json:
        common.print_json(done.to_json())
    else:
        print(
            f"{done.folder}: {common.counted(done.masks, 'mask')} in {common.counted(done.images, 'image')}, "
            f"{done.predicted} predicted, {done.reused} there already, "
            f"{common.counted(done.findings.errors, 'error')}"
        )
    return int(bool(done.findings.errors))


def _from_folder(folder: Path, options: dict[str, Any]) -> Any:
    from entityseg.baselines.inference.segmenter import FolderSegmenter

    try:
        return FolderSegmenter(folder, **options)
    except TypeError as error:
        message = f"the model does not take these options: {error}"
        remedy = "See `entityseg.baselines.inference.segmenter.FolderSegmenter`."
        raise usage_error("model.options", message, remedy, field="option") from error


def _that_change_results(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that results depend on; the others only say where and how fast."""
    return {name: options[name] for name in sorted(set(options) - {"device", "compile", "threads"})}


def _digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file that makes the model, so that other weights in the folder are noticed."""
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
