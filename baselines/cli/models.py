"""`entityseg models ...`: the model families, released weights converted, and what a model holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from entityseg.cli import common

app = common.new_app(
    "Models: families, converted weights, and what a model holds.",
    [
        "entityseg models list",
        "entityseg models convert CropFormer_hornet_3x_03823a.pth models/cropformer-hornet",
        "entityseg models info models/cropformer-hornet",
    ],
)

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list", epilog=common.epilog("entityseg models list", "entityseg models list --json"))
def list_models(as_json: _Json = False) -> None:
    """List the model families.

    With what supports them, and how far their numbers have been checked.
    """
    from entityseg.baselines.catalogue import FAMILIES

    if as_json:
        common.print_json({"models": [family.to_json() for family in FAMILIES.values()]})
        return
    width = max(len(name) for name in FAMILIES)
    for family in FAMILIES.values():
        released = "released weights can be converted" if family.convertible else "no released weights"
        print(f"{family.name:<{width}}  {family.title} ({family.source})")
        print(f"{'':<{width}}  {family.support}, {family.parity}; {released}")
        print(f"{'':<{width}}  {family.notes}")


@app.command(
    epilog=common.epilog(
        "entityseg models info models/cropformer-hornet",
        "entityseg models info CropFormer_hornet_3x_03823a.pth --json",
    )
)
def info(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of a model, or a released .pth file.")
    ],
    as_json: _Json = False,
) -> None:
    """Show what a folder or a checkpoint holds.

    Family, sizes, parameters, digest, and where the weights come from.
    """
    from entityseg.baselines.extra import require_models

    require_models()
    from entityseg.baselines.checkpoints import describe

    told = describe(model)
    if as_json:
        common.print_json(told)
        return
    provenance = told.get("provenance")
    rows: dict[str, Any] = {
        "family": f"{told['family']} ({told['support']}, {told['parity']})",
        "parameters": f"{told['parameters']:,} ({told['dtype']})",
        **told["sizes"],
        "sha256": told["sha256"],
    }
    if provenance:
        rows["converted from"] = f"{provenance['source']['file']}, sha256 {provenance['source']['sha256']}"
        rows["licence"] = provenance["licence"]
    if "assumed" in told:
        rows["assumed"] = ", ".join(f"{name} {value}" for name, value in told["assumed"].items())
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        print(f"{name:<{width}}  {value}")


@app.command(
    epilog=common.epilog(
        "entityseg models convert CropFormer_swin_tiny_3x_5cea5e.pth models/cropformer-swin-tiny",
        "entityseg models convert Mask2Former_Swin_Tiny.pth models/panoptic --categories categories.json",
    )
)
def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE.pth", help="File that the authors released.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; new or empty.")],
    family: Annotated[
        str | None,
        typer.Option(help="Family; told by the file. `vmask2former` starts one from a mask2former."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="What the classes mean; told by their number where that is a known one."),
    ] = None,
    heads: Annotated[
        int | None, typer.Option(min=1, help="Attention heads of the decoders; as the pixel decoder's.")
    ] = None,
    categories: Annotated[
        Path | None, typer.Option(help="JSON file with the dataset's categories, for class-aware models.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Convert released weights of Mask2Former or CropFormer.

    Nothing in the file is run, and every weight must fit.
    """
    from entityseg.baselines.extra import require_models

    require_models()
    from entityseg.baselines.checkpoints import convert_file

    record = convert_file(file, out, family=family, task=task, heads=heads, categories=categories)
    if as_json:
        common.print_json({"out": str(out), **record})
        return
    assumed = ", ".join(f"{name} {value}" for name, value in record["assumed"].items())
    print(f"{record['family']} of {record['parameters']:,} parameters written to {out}")
    print(f"weights sha256 {record['weights']['sha256']}")
    print(f"taken as given, for no shape tells it: {assumed}")
    common.note(record["licence"])
