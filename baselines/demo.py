"""The demonstration's chapter about models: the tiny Mask2Former and the tiny CropFormer, trained and compared."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import entityseg
from entityseg.baselines.extra import require_models
from entityseg.data.images import find_image
from entityseg.data.records import Dataset
from entityseg.data.threads import Progress
from entityseg.files import write_json
from entityseg.report.chapters import Chapter
from entityseg.report.page import Cell, Gallery, Picture, Section, Table, percent

if TYPE_CHECKING:
    from entityseg.metrics.result import Score
    from entityseg.predictions.records import Predictions

# Recipe -> name on the page. One budget of steps for both.
MODELS = {"tiny-mask2former": "Mask2Former", "tiny-cropformer": "CropFormer"}
STEPS = 500
# Resolution -> split of the mini dataset.
SPLITS = {"L": "val_lr", "H": "val"}
_DONE = "done.json"
_SHOWN = 3
_SIDE = 900
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Attributes:
        recipe: its recipe.
        folder: its weights, and its predictions by split.
        seconds: how long the training took.
        parameters: of the network.
        scores: by resolution.
    """

    recipe: str
    folder: Path
    seconds: float
    parameters: int
    scores: dict[str, Score]


def chapter(mini: Path, out: Path, *, seed: int, progress: Progress, steps: int = STEPS) -> Chapter:
    """Train both models on the training half, score them on the other in low and high resolution, show both.

    Each is trained in a process of its own with one thread. What was trained is kept for the next time.

    Args:
        mini: the mini dataset.
        out: folder of the chapter.
        seed: of the trainings.
        progress: shows the steps of both.
        steps: of each training.

    Raises:
        UsageError: torch or transformers is not installed.
    """
    require_models()
    folder = _folder(mini, out, seed, steps)
    _train(mini, folder, seed, steps, progress)
    truths = {name: _truth(mini, split) for name, split in SPLITS.items()}
    trained = [_score(recipe, folder / recipe, truths, seed) for recipe in MODELS]
    results = {
        MODELS[one.recipe]: {
            "folder": str(one.folder),
            "seconds": one.seconds,
            "parameters": one.parameters,
            "steps": steps,
            **{f"AP^e_{name}": score["AP"] for name, score in one.scores.items()},
        }
        for one in trained
    }
    return Chapter(_section(trained, truths["H"], steps), results, _lines(trained, steps))


def _folder(mini: Path, out: Path, seed: int, steps: int) -> Path:
    """Return the folder of these trainings; those of other data, settings or versions are removed."""
    from entityseg.baselines.training import read_config

    digest = hashlib.sha256((mini / "scenes.json").read_bytes())
    digest.update(repr((entityseg.__version__, seed, steps)).encode())
    for recipe in MODELS:
        digest.update(read_config(recipe).digest().encode())
    folder = out / digest.hexdigest()[:16]
    if out.is_dir():
        for other in out.iterdir():
            if other != folder and other.is_dir():
                shutil.rmtree(other)
    return folder


def _train(mini: Path, folder: Path, seed: int, steps: int, progress: Progress) -> None:
    todo = [recipe for recipe in MODELS if not (folder / recipe / _DONE).is_file()]
    if not todo:
        return
    # `spawn`, because a copy of a process with threads may hang.
    with ProcessPoolExecutor(len(todo), mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(train_and_predict, recipe, mini, folder / recipe, seed, steps) for recipe in todo]
        logs = [folder / recipe / "log.jsonl" for recipe in todo]
        for _ in progress(_steps(jobs, logs, steps), steps * len(todo), "training"):
            pass
        for job in jobs:
            job.result()


def train_and_predict(recipe: str, mini: Path, folder: Path, seed: int, steps: int) -> None:
    """Train by a recipe in this process, with one thread, and predict the validation half in both resolutions."""
    import torch

    torch.set_num_threads(1)
    from entityseg.baselines.inference.segmenter import FolderSegmenter
    from entityseg.baselines.training import read_config, train
    from entityseg.baselines.training.reading import data_at
    from entityseg.data.pixels import read_rgb
    from entityseg.predictions import write_predictions
    from entityseg.predictions.records import Predictions

    overrides = [
        data_at(mini), "data.train.split=train_lr", "data.validation=null",
        f"schedule.steps={steps}", f"run.seed={seed}",
    ]  # fmt: skip
    begin = time.monotonic()
    train(read_config(recipe, overrides), folder)
    seconds = time.monotonic() - begin
    model = FolderSegmenter(folder, threads=1)
    for split in SPLITS.values():
        truth = _truth(mini, split)
        found = []
        for image in truth.images:
            path = find_image(truth, image)
            assert path is not None, "the mini dataset has all its images"
            one = model.segment(read_rgb(path, image.size))
            found.append((one.masks, one.scores))
        predictions = Predictions.build(truth.images, found, listed=np.ones(len(found), bool))
        write_predictions(predictions, folder / f"{split}.jsonl", format="jsonl", lossy=True, overwrite=True)
    parameters = sum(one.numel() for one in model.model.parameters())
    write_json(folder / _DONE, {"seconds": seconds, "parameters": parameters})


def _steps(jobs: Sequence[Future[None]], logs: Sequence[Path], steps: int) -> Iterator[int]:
    """Yield once for each step that a training has logged, until all jobs have ended."""
    seen = 0
    while True:
        ended = all(job.done() for job in jobs)
        done = steps * len(logs) if ended else sum(_last_step(log) for log in logs)
        yield from range(seen, done)
        seen = max(seen, done)
        if ended:
            return
        time.sleep(_POLL_SECONDS)


def _last_step(log: Path) -> int:
    lines = log.read_bytes().splitlines() if log.is_file() else []
    # The last line may be half-written.
    complete = [line for line in lines if line.endswith(b"}")]
    return int(json.loads(complete[-1])["step"]) if complete else 0


def _truth(mini: Path, split: str) -> Dataset:
    from entityseg.data import load

    return load(mini, split=split, format="entityseg-release", check=False)


def _predictions(folder: Path, split: str, truth: Dataset) -> Predictions:
    from entityseg.predictions import read_predictions

    return read_predictions(folder / f"{split}.jsonl", truth)


def _score(recipe: str, folder: Path, truths: dict[str, Dataset], seed: int) -> Trained:
    from entityseg.metrics.scoring import score

    made: dict[str, Any] = json.loads((folder / _DONE).read_bytes())
    scores = {
        name: score(truth, _predictions(folder, SPLITS[name], truth), seed=seed)
        for name, truth in truths.items()
    }
    return Trained(recipe, folder, float(made["seconds"]), int(made["parameters"]), scores)


def _section(trained: Sequence[Trained], truth: Dataset, steps: int) -> Section:
    text = [
        "A Mask2Former and a CropFormer of about a million parameters each, trained from random numbers on the "
        "training scenes of the mini dataset for as many steps, and scored on the others: in low (L) and in high "
        "resolution (H). CropFormer sees crops of the image beside the whole, so its training takes longer.",
        f"{steps:,} steps of two images are a moment: released models train for 100,000 steps of 16. docs/training.md "
        "compares these two after 1,500 steps, with three seeds.",
    ]
    columns = ["model", *(f"AP^e {name}" for name in SPLITS), *(f"AP50 {name}" for name in SPLITS)]
    rows: list[list[Cell | str]] = []
    for one in trained:
        row: list[Cell | str] = [MODELS[one.recipe]]
        row += [_cell(one.scores[name], figure) for figure in ("AP", "AP50") for name in SPLITS]
        rows.append([*row, f"{one.parameters / 1e6:.2f} M", f"{one.seconds:.0f}"])
    table = Table([*columns, "parameters", "training, s"], rows, "In percent, with 95 % bootstrap intervals.")
    return Section("Models", text, table=table, galleries=list(_galleries(trained, truth)))


def _cell(score: Score, figure: str) -> Cell:
    pair = score.intervals.get(figure)
    note = f"{100 * pair[0]:.1f}–{100 * pair[1]:.1f}" if pair else ""  # noqa: RUF001 - a range
    return Cell(percent(score.values[figure]), note)


def _galleries(trained: Sequence[Trained], truth: Dataset) -> Iterator[Gallery]:
    from entityseg.report.overlay import draw_triple, load_picture

    predictions = {one.recipe: _predictions(one.folder, SPLITS["H"], truth) for one in trained}
    # From the emptiest image to the fullest, a few on the way.
    order = np.argsort(np.diff(truth.offsets), kind="stable")
    for index in order[np.linspace(0, len(order) - 1, _SHOWN + 2).round().astype(int)[1:-1]].tolist():
        image, masks = truth.images[index], truth.masks(index)
        path = find_image(truth, image)
        picture = None if path is None else load_picture(path, size=image.size, max_side=_SIDE)
        pictures: list[Picture] = []
        for recipe, found in predictions.items():
            # As many as there are entities: the surest ones.
            scores = found.scores[found.rows(index)]
            best = np.argsort(-scores, kind="stable")[: len(masks)]
            chosen = found.masks(index)[best]
            kept = chosen.areas > 0
            first, second, _ = draw_triple(picture, masks, chosen[kept], scores[best][kept], max_side=_SIDE)
            if not pictures:
                name = Path(image.file_name).name
                pictures.append(
                    Picture.of_image(first, f"Ground truth: {len(masks)} entities.", f"Entities of {name}")
                )
            caption = f"{MODELS[recipe]}: its {int(kept.sum())} surest masks."
            pictures.append(Picture.of_image(second, caption, f"{MODELS[recipe]} on {image.file_name}"))
        yield Gallery(pictures, 3, Path(image.file_name).name)


def _lines(trained: Sequence[Trained], steps: int) -> tuple[str, ...]:
    lines = [f"Trained for {steps:,} steps on the mini dataset, AP^e in percent:"]
    for one in trained:
        figures = ", ".join(f"{name} {percent(score['AP'])}" for name, score in one.scores.items())
        lines.append(f"  {MODELS[one.recipe]:12s} {figures}   ({one.seconds:.0f} s)")
    return tuple(lines)
