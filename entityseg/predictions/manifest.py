"""The manifest that goes with predictions wherever they go: which task, which model, and what it was trained on.

`manifest.json` lies beside the predictions. `entityseg bench run` writes it; whoever takes predictions reads it here.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from entityseg.data.json_file import parse_json_file, require_there
from entityseg.data.validated import validated
from entityseg.errors import Findings, input_error
from entityseg.files import write_json

NAME = "manifest.json"
MAX_BYTES = 1 << 18
# What figures are known to depend on, under all names that it is installed by.
_TOOLS = {
    "numpy": ("numpy",),
    "scipy": ("scipy",),
    "opencv": ("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
    "pycocotools": ("pycocotools",),
    "torch": ("torch",),
}
Names = Annotated[tuple[str, ...], Field(strict=False)]
_Record = TypeVar("_Record", bound=BaseModel)


class Statements(BaseModel):
    """What only those who made the model can say; null, or left out, is "not said".

    Attributes:
        checkpoint: which weights, such as a URL or a digest.
        training_data: names of the data sets that the model saw.
        uses_split_in_training: whether images of this very split were among them.
        mask_source: what made the masks that the model chooses from, such as `CropFormer-Swin-L`.
        mask_reduction: how several masks for one expression became one.
        vocabulary: which class texts an open-vocabulary model was given.
        vocabulary_file: the list of these texts, such as `ade20k_150.txt`.
        prompt: the prompt, where it is not the task's own.
        foreground: how one foreground map came from a model that has no prompt.
        masks_overlap: whether masks of an image may share pixels.
        notes: what else a reader of the figures has to know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    checkpoint: str | None = None
    training_data: Names | None = None
    uses_split_in_training: bool | None = None
    mask_source: str | None = None
    mask_reduction: Literal["union", "first", "argmax"] | None = None
    vocabulary: Literal["names", "synonyms", "prompt-eng"] | None = None
    vocabulary_file: str | None = None
    prompt: str | None = None
    foreground: str | None = None
    masks_overlap: bool | None = None
    notes: str | None = None


class Manifest(Statements):
    """A manifest.

    Attributes:
        format: of this file.
        task: the task's name with its version, such as `refcoco-val@1`.
        split: the data's split, as the task names it.
        protocol_version: the task's version again, for readers that know the task without it.
        model: what the model is called.
        model_options: what it was made with.
        oracle: whether it was told the truth.
        input_mode: what the model was given, where the task has several such modes.
        excluded: units of the data that cannot be scored and were left out.
        sha256: digest of the predictions' file, or of the names and digests of a folder's files.
        tools: versions of what figures depend on.
    """

    format: Literal["entityseg/manifest@1"] = "entityseg/manifest@1"
    task: str = Field(pattern=r"^[A-Za-z0-9+-]+@[1-9][0-9]*$")
    split: str
    protocol_version: int | None = Field(default=None, ge=1)
    model: str = Field(min_length=1)
    model_options: dict[str, Any] = {}
    oracle: bool = False
    input_mode: Literal["given-phrases", "end-to-end"] | None = None
    excluded: Names = ()
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    tools: dict[str, str] = {}

    def of_model(self) -> dict[str, Any]:
        """Return what the manifest says of the model, without what was not said."""
        own = ("format", "task", "split", "protocol_version", "sha256")
        said = self.model_dump(mode="json", exclude_none=True)
        return {name: value for name, value in said.items() if name not in own}


def read_manifest(path: str | Path) -> Manifest:
    """Read a manifest.

    Raises:
        MissingFileError: there is no such file.
        InputError: it is too large, no JSON, has keys twice, or fields are wrong; all problems are listed.
    """
    return _read(path, Manifest)


def read_statements(path: str | Path) -> Statements:
    """Read what somebody says of a model; errors are those of `read_manifest`."""
    return _read(path, Statements)


def write_manifest(path: str | Path, manifest: Manifest) -> None:
    """Write a manifest; what was not said is left out."""
    write_json(path, manifest.model_dump(mode="json", exclude_none=True), indent=True)


def check_manifest(
    manifest: Manifest,
    *,
    task: str,
    split: str,
    sha256: str | None = None,
    input_mode: str | None = None,
    file: str | None = None,
) -> Findings:
    """Compare a manifest with what it lies beside.

    Args:
        manifest: the manifest.
        task, split: the task that the predictions are scored under, and its split.
        sha256: digest of the predictions (`entityseg.data.digests.of_paths`); not compared where not given.
        input_mode: of the task, if it has one.
        file: the manifest's path, for messages.
    """
    findings = Findings(file)

    def differs(field: str, message: str, remedy: str) -> None:
        findings.add("manifest.other", message, remedy, field=field, value=getattr(manifest, field))

    version = int(manifest.task.rpartition("@")[2])
    if manifest.protocol_version not in (None, version):
        differs(
            "protocol_version", f"the task is {manifest.task}", "Write the task's version, or leave it out."
        )
    if manifest.task != task:
        differs("task", f"the predictions are scored under {task}", "Score them under their own task.")
    elif manifest.split != split:
        differs("split", f"the split of {task} is {split!r}", "Write the split that was predicted.")
    if sha256 is not None and manifest.sha256 != sha256:
        remedy = (
            "Put each manifest beside its own predictions; write it again if they were changed on purpose."
        )
        differs("sha256", f"the predictions are other ones: theirs is {sha256}", remedy)
    if input_mode is not None and manifest.input_mode not in (None, input_mode):
        differs(
            "input_mode",
            f"the input mode of {task} is {input_mode}",
            "Score them under the task of their mode.",
        )
    if manifest.uses_split_in_training:
        message = "the model was trained on this split, so its figures say nothing about other images"
        remedy = "Do not rank it with models that were not."
        findings.add("manifest.leak", message, remedy, field="uses_split_in_training", severity="warning")
    return findings


def tool_versions() -> dict[str, str]:
    """Return the versions of what figures depend on, of what is installed."""
    found = {"entityseg": _version(("entityseg",))}
    found |= {tool: _version(names) for tool, names in _TOOLS.items()}
    return {tool: version for tool, version in found.items() if version}


def _version(names: tuple[str, ...]) -> str:
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _read(path: str | Path, model: type[_Record]) -> _Record:
    path = Path(path)
    require_there(path)
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        message, remedy = f"a manifest has at most {MAX_BYTES:,} bytes", "Check that this is a manifest."
        raise input_error("manifest.large", message, remedy, file=str(path))
    value = parse_json_file(path)
    findings = Findings(str(path))
    for key in _repeated(path):
        findings.add("manifest.twice", "the key is there twice", "Keep one of them.", field=key)
    remedy = "See `entityseg.predictions.manifest` for the fields."
    found = validated(model, value, findings, kind="manifest.field", remedy=remedy)
    findings.raise_errors()
    return found


def _repeated(path: Path) -> list[str]:
    """Return the keys that an object of the file has twice; parsers keep the last one without a word."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        keys = [key for key, _ in pairs]
        found.extend(dict.fromkeys(key for key in keys if keys.count(key) > 1))

    json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=look)
    return found
