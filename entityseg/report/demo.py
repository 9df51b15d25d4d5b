"""The demonstration: a dataset, converted there and back, predictions scored, and a page that shows it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import entityseg
from entityseg.data.mini.scene import N_SCENES
from entityseg.data.records import Dataset
from entityseg.data.threads import Progress, no_progress
from entityseg.errors import Findings, InputError, UsageError, usage_error
from entityseg.files import write_json
from entityseg.metrics.result import Score
from entityseg.report.chapters import Chapter, make_chapters
from entityseg.report.summary import Summary, summarise

# Its presence says that the folder is ours to write in, and what it holds.
MARKER = ".entityseg-demo.json"
# Kept from one demonstration to the next: each chapter knows what of it is still good.
_CHAPTERS = "chapters"
# Predictions are made for this many images of somebody's own data at the most.
_MOST_IMAGES = 64


@dataclass(frozen=True)
class Conversion:
    """What a conversion there and back gave.

    Attributes:
        steps: the files it went through, from the first to the last.
        images, masks: how many were compared.
        differences: what is not the same afterwards; empty if nothing was lost.
        refused: why the conversion was not made, if it was not.
    """

    steps: tuple[Path, ...] = ()
    images: int = 0
    masks: int = 0
    differences: Findings = field(default_factory=Findings)
    refused: Findings | None = None

    @property
    def lossless(self) -> bool:
        """Whether it was made and nothing was lost."""
        return self.refused is None and len(self.differences) == 0


@dataclass(frozen=True)
class Demo:
    """What the demonstration made.

    Attributes:
        page: the HTML page.
        dataset: what is shown and converted.
        summary: its figures.
        conversion: there and back.
        gt: the ground truth of the scores.
        scores: by the name of the predictions.
        curves: precision, float64 [10, 101], by the name of the predictions; None without ground truth.
        prediction_files: by the name of the predictions.
        examples: positions of a few telling images of `dataset`.
        compared: positions of a few telling images of `gt`.
        chapters: what other floors added, by their names.
    """

    page: Path
    dataset: Dataset
    summary: Summary
    conversion: Conversion
    gt: Dataset
    scores: Mapping[str, Score]
    curves: Mapping[str, NDArray[np.float64] | None]
    prediction_files: Mapping[str, Path]
    examples: Sequence[int]
    compared: Sequence[int]
    chapters: Mapping[str, Chapter] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the results as a JSON object."""
        return {
            "page": str(self.page),
            "dataset": self.summary.to_json(),
            "conversion": {
                "lossless": self.conversion.lossless,
                "images": self.conversion.images,
                "masks": self.conversion.masks,
                "files": [str(step) for step in self.conversion.steps],
                "differences": self.conversion.differences.to_json(),
                "refused": self.conversion.refused.to_json() if self.conversion.refused else None,
            },
            "scores": {name: score.to_json() for name, score in self.scores.items()},
            "predictions": {name: str(path) for name, path in self.prediction_files.items()},
            "chapters": {name: dict(chapter.results) for name, chapter in self.chapters.items()},
        }


def run_demo(
    out: str | Path,
    *,
    data: str | Path | None = None,
    split: str | None = None,
    from_: str | None = None,
    gt: str | Path | None = None,
    pred: str | Path | None = None,
    scenes: int = N_SCENES,
    seed: int = 0,
    bootstrap: int = 1000,
    chapters: bool = True,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> Demo:
    """Make the demonstration in a folder of its own; run again, it replaces what it made.

    Args:
        out: the folder, new or made by an earlier run.
        data: a dataset of the user's own in place of the mini dataset; only read.
        split: which of its readings, where there are several.
        from_: its format, where several fit.
        gt: ground truth of `pred`; `data` where not given.
        pred: predictions to score in place of the made ones.
        scenes: how many scenes the mini dataset has.
        seed: of the mini dataset, of the made predictions and of the intervals.
        bootstrap: resamples for the intervals, 0 for none.
        chapters: with what other floors add, such as models trained on the mini dataset.
        threads: images worked on side by side.
        progress: shows how far the work is.

    Raises:
        UsageError: the folder is somebody else's, or the options do not fit together.
        InputError: something is wrong with the data; all problems are listed.
    """
    from entityseg.report.demo_page import write_demo_page

    out = Path(out)
    if gt is not None and pred is None:
        message = "a ground truth was given, but no predictions to score"
        raise usage_error("demo.pred", message, "Give the predictions too (`--pred`), or leave `--gt` out.")
    shown = data if data is not None else gt
    if pred is not None and shown is None:
        message = "predictions were given, but nothing to compare them with"
        raise usage_error(
            "demo.gt", message, "Give their ground truth (`--gt`), or their dataset (`--data`)."
        )
    _claim(out)
    options: dict[str, Any] = {"threads": threads, "progress": progress}
    if shown is None:
        dataset = _mini(out, scenes, seed, progress)
    else:
        dataset = _load(shown, split=split if data is not None else None, format=from_, **options)
    truth = dataset if gt is None or gt == shown else _load(gt, **options)
    summary = summarise(dataset, threads=threads, progress=progress)
    conversion = _there_and_back(dataset, out / "data", **options)
    files: Mapping[str, Path]
    if pred is not None:
        files = {Path(pred).stem or str(pred): Path(pred)}
    else:
        truth = _at_most(truth, _MOST_IMAGES)
        files = _write_predictions(truth, out / "predictions", seed, **options)
    scores, curves = _score(truth, files, bootstrap, seed, threads, progress)
    looks = _looks(out / "mini") if shown is None else {}
    examples, compared = _telling(dataset, looks), _telling(truth, looks)
    added = {}
    if chapters and shown is None:
        added = make_chapters(out / "mini", out / _CHAPTERS, seed=seed, progress=progress)
    page = out / "index.html"
    demo = Demo(page, dataset, summary, conversion, truth, scores, curves, files, examples, compared, added)
    write_demo_page(demo, own_data=shown is not None, own_predictions=pred is not None)
    return demo


def _claim(out: Path) -> None:
    """Make the folder ours, or refuse it; what an earlier run made is removed, the mini dataset aside."""
    if out.exists() and not out.is_dir():
        message = "the demonstration needs a folder, this is a file"
        raise usage_error("demo.file", message, "Name a folder (`--out`).", file=str(out))
    if out.is_dir() and any(out.iterdir()) and not (out / MARKER).is_file():
        message = "the folder is not empty and was not made by `entityseg demo`"
        raise usage_error("demo.foreign", message, "Name another folder (`--out`).", file=str(out))
    if not (out / MARKER).is_file():
        write_json(out / MARKER, {"made_by": "entityseg demo"})
    for name in ("data", "predictions"):
        if (out / name).is_dir():
            shutil.rmtree(out / name)
    (out / "index.html").unlink(missing_ok=True)


def _mini(out: Path, scenes: int, seed: int, progress: Progress) -> Dataset:
    """Return the validation half of the mini dataset, made anew unless the same one is there."""
    from entityseg.data.loading import load
    from entityseg.data.mini.write import MARKER as WHOLE
    from entityseg.data.mini.write import write_mini

    if scenes < 4:
        message = "the mini dataset has at least 4 scenes"
        raise usage_error("demo.scenes", message, "Give 4 or more (`--scenes`).", value=scenes)
    folder = out / "mini"
    wanted = {"made_by": "entityseg demo", "version": entityseg.__version__, "scenes": scenes, "seed": seed}
    if json.loads((out / MARKER).read_bytes()) != wanted or not (folder / WHOLE).is_file():
        if folder.is_dir():
            shutil.rmtree(folder)
        write_mini(folder, seed=seed, scenes=scenes, progress=progress)
        write_json(out / MARKER, wanted)
    return load(folder, format="entityseg-release", split="val", check=False)


def _load(path: str | Path, **options: Any) -> Dataset:
    from entityseg.data.loading import load

    return load(path, **options)


def _there_and_back(dataset: Dataset, folder: Path, *, threads: int | None, progress: Progress) -> Conversion:
    """Convert to COCO panoptic (JSON and PNG) and back to our own JSON, and compare every mask."""
    from entityseg.data.coco_entity import entity_to_panoptic, keeps_segment_ids
    from entityseg.data.compare import compare
    from entityseg.data.conversion import convert
    from entityseg.data.formats import get_format
    from entityseg.data.formats.coco_panoptic import FILE_NAME

    options: dict[str, Any] = {"threads": threads, "progress": progress}
    there, back = folder / "coco_panoptic", folder / "entity_again"
    try:
        convert(dataset, there, to="coco-panoptic", **options)
    except UsageError as error:
        # Such as masks that overlap: a map of ids cannot hold them, which is worth showing too.
        return Conversion(refused=error.findings)
    # The file, because a folder without any image is not recognised as panoptic.
    convert(there / FILE_NAME, back, to="entity", from_="coco-panoptic", **options)
    again = get_format("entity").read(back)
    if keeps_segment_ids(again) and not keeps_segment_ids(dataset):
        # Segment ids repeat from image to image, entity ids do not: the segments' own are kept beside them.
        again = entity_to_panoptic(again)
    differences = compare(dataset, again, **options)
    steps = tuple(path for path in (dataset.path, there, back) if path is not None)
    return Conversion(steps, len(dataset), dataset.n_annotations, differences)


def _looks(folder: Path) -> dict[str, str]:
    """Return the look of each of the mini dataset's scenes by its file name."""
    from entityseg.data.mini.write import MARKER as WHOLE

    scenes = json.loads((folder / WHOLE).read_bytes())["scenes"]
    return {scene["file_name"]: scene["look"] for scene in scenes}


def _telling(dataset: Dataset, looks: Mapping[str, str], count: int = 3) -> list[int]:
    """Return a few images that have entities, from sparse to crowded; where looks are known, one of each."""
    counts = np.diff(dataset.offsets)
    order = [int(index) for index in np.argsort(counts, kind="stable") if counts[index]]
    groups: dict[str, list[int]] = {}
    for index in order:
        groups.setdefault(looks.get(dataset.images[index].file_name, ""), []).append(index)
    if len(groups) >= count:
        # The second third: not the emptiest of its look, and not the fullest.
        return [group[(2 * len(group)) // 3] for _, group in sorted(groups.items(), reverse=True)][:count]
    places = np.linspace(0.2, 0.9, count) * max(0, len(order) - 1)
    return [order[round(place)] for place in dict.fromkeys(places.round())] if order else []


def _at_most(dataset: Dataset, count: int) -> Dataset:
    """Return the dataset with `count` of its images, evenly spread, if it has more."""
    from entityseg.data.views import select

    if len(dataset) <= count:
        return dataset
    return select(dataset, images=np.linspace(0, len(dataset) - 1, count).astype(np.int64))


def _write_predictions(
    truth: Dataset, folder: Path, seed: int, *, threads: int | None, progress: Progress
) -> dict[str, Path]:
    from entityseg.predictions import write_predictions
    from entityseg.report.made_predictions import GOOD, POOR, make_predictions

    files = {}
    for name, flaws in (("good", GOOD), ("poor", POOR)):
        predictions = make_predictions(truth, flaws, seed=seed, threads=threads, progress=progress)
        files[name] = folder / f"{name}.json"
        # A results file has no word for "nothing found", which scores as a missing image does.
        write_predictions(
            predictions, files[name], format="coco", lossy=True, threads=threads, progress=progress
        )
    return files


def _score(
    truth: Dataset,
    files: Mapping[str, Path],
    bootstrap: int,
    seed: int,
    threads: int | None,
    progress: Progress,
) -> tuple[dict[str, Score], dict[str, NDArray[np.float64] | None]]:
    """Score each file as `entityseg score entity` does; predictions that overlap give AP instead of AP^e."""
    from entityseg.metrics.scoring import Overlap, evaluate, result_of
    from entityseg.predictions import read_predictions

    scores, curves = {}, {}
    for name, file in files.items():
        predictions = read_predictions(file, truth)
        overlap: Overlap = "refuse"
        try:
            table, found = evaluate(truth, predictions, overlap=overlap, threads=threads, progress=progress)
        except InputError as error:
            if any(one.kind != "pred.overlap" for one in error.findings if one.severity == "error"):
                raise
            overlap = "allow"
            table, found = evaluate(truth, predictions, overlap=overlap, threads=threads, progress=progress)
        curves[name] = table.curves()
        scores[name] = result_of(table, found, overlap=overlap, bootstrap=bootstrap, seed=seed)
    return scores, curves
