"""Compares tiny CropFormer with tiny Mask2Former at one budget on held-out scenes of the mini dataset.

    python -m entityseg.baselines.training.compare mini runs/compare

Each model is trained with each seed; its masks of the `val` scenes are scored at the original resolution (H) and at the
low one (L), from every decoder output. Killed, it goes on where it was. It writes `comparison.json` and
`comparison.md`; intervals are 95 % percentile bootstraps over the scenes, of the mean over the seeds, and paired where
two rows are compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entityseg.baselines.training.config import TrainingConfig
from entityseg.baselines.training.reading import data_at, read_config
from entityseg.data.records import Dataset
from entityseg.errors import usage_error
from entityseg.files import write_bytes, write_json
from entityseg.metrics.entity_ap import EntityAP

TRACKS = {"H": "val", "L": "val_lr"}
# What each model is read from; CropFormer table 8b.
OUTPUTS: dict[str, tuple[str, ...]] = {
    "tiny-mask2former": ("I-O",),
    "tiny-cropformer": ("I-O", "B-O", "B-C", "B-OC"),
}
# What the papers report of these pairs: the first is better.
CLAIMS = (
    ("CropFormer over Mask2Former", ("tiny-cropformer", "B-OC"), ("tiny-mask2former", "I-O")),
    ("B-OC over B-C", ("tiny-cropformer", "B-OC"), ("tiny-cropformer", "B-C")),
    ("B-C over B-O", ("tiny-cropformer", "B-C"), ("tiny-cropformer", "B-O")),
)
Row = tuple[str, str]


@dataclass(frozen=True)
class Figures:
    """AP^e of one model and output on one track.

    Attributes:
        seeds: of each seed, as a fraction.
        samples: float64 [resamples], mean over the seeds in each resample of the scenes.
    """

    seeds: tuple[float, ...]
    samples: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.seeds))


def compare(
    data: str | Path,
    out: str | Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    overrides: Sequence[str] = (),
    resamples: int = 2000,
) -> dict[str, Any]:
    """Train, score and compare; return what `comparison.json` holds.

    Args:
        data: folder of the mini dataset.
        out: folder of the trainings, predictions and tables.
        seeds: of the trainings.
        overrides: settings of both recipes, such as `schedule.steps=1000`.
        resamples: of the bootstrap.

    Raises:
        UsageError: no seed, settings that there are not, or trainings of other settings in `out`.
    """
    if not seeds:
        raise usage_error("compare.seeds", "there is no seed", "Give at least one.", field="seeds")
    out = Path(out)
    found: dict[Row, dict[str, list[EntityAP]]] = {}
    digests: dict[str, str] = {}
    for recipe, outputs in OUTPUTS.items():
        for seed in seeds:
            settings = [data_at(data), "data.validation=null", *overrides, f"run.seed={seed}"]
            config = read_config(recipe, settings)
            digests[f"{recipe}/{seed}"] = config.digest()
            for track in TRACKS:
                for output, table in zip(outputs, _tables(config, out, seed, track, outputs), strict=True):
                    found.setdefault((recipe, output), {}).setdefault(track, []).append(table)
    figures = {
        row: {track: _figures(tables, resamples) for track, tables in by_track.items()}
        for row, by_track in found.items()
    }
    result = _result(figures, seeds, overrides, resamples, digests)
    write_json(out / "comparison.json", result, indent=True)
    write_bytes(out / "comparison.md", markdown(result).encode())
    return result


def _tables(
    config: TrainingConfig, out: Path, seed: int, track: str, outputs: Sequence[str]
) -> list[EntityAP]:
    """Return the statistics of each output on a track, from files where a run before has written them."""
    from entityseg.data import load
    from entityseg.metrics import evaluate
    from entityseg.predictions.read import read_predictions

    folder = out / f"{config.name}-seed{seed}"
    files = [folder / f"{track}-{output}.jsonl" for output in outputs]
    truth = load(config.data.path or "", split=TRACKS[track])
    from entityseg.baselines.training.loop import train

    # Finished before, it returns at once; of other settings, it refuses.
    train(config, folder / "training", live=sys.stderr.isatty())
    if not all(file.is_file() for file in files):
        _predict(folder / "training", truth, files, outputs)
    return [evaluate(truth, read_predictions(file, truth))[0] for file in files]


def _predict(training: Path, truth: Dataset, files: Sequence[Path], outputs: Sequence[str]) -> None:
    """Write the masks that a model finds, read from each output; the network looks at each image once."""
    from entityseg.baselines.inference.options import InferenceOptions
    from entityseg.baselines.inference.segment import read_masks, read_output, run
    from entityseg.baselines.models import load_model
    from entityseg.baselines.views import load_processor
    from entityseg.baselines.views.regions import padded_size
    from entityseg.data.images import find_image
    from entityseg.data.pixels import read_rgb
    from entityseg.predictions.records import Predictions
    from entityseg.predictions.write import write_predictions

    model, processor = load_model(training), load_processor(training)
    options = InferenceOptions()
    predicted: dict[str, list[Any]] = {output: [] for output in outputs}
    for image in truth.images:
        path = find_image(truth, image)
        if path is None:
            remedy = "Make the mini dataset again."
            raise usage_error("compare.image", "the image was not found", remedy, file=image.file_name)
        views = processor.cut(read_rgb(path, image.size))
        size = padded_size([view.size for view in views.views], processor.size_divisor)
        answer = run(model, processor.stack([views]), options)
        for output in outputs:
            # The names of the outputs are checked by the options.
            chosen = replace(options, outputs=output)  # type: ignore[arg-type]
            masks = read_masks(model, read_output(answer, 0, views, size, chosen), chosen)
            predicted[output].append((masks.masks, masks.scores))
    for file, output in zip(files, outputs, strict=True):
        predictions = Predictions.build(truth.images, predicted[output])
        write_predictions(predictions, file, format="jsonl", overwrite=True)


def _figures(tables: Sequence[EntityAP], resamples: int) -> Figures:
    """Return AP^e of each seed, and the mean over the seeds in resamples of the scenes; equal ones for all rows."""
    samples = [table.resample(resamples, seed=0)["AP"] for table in tables]
    seeds = tuple(float(table.compute()["AP"] or 0.0) for table in tables)
    return Figures(seeds, np.mean(samples, axis=0))


def _result(
    figures: Mapping[Row, Mapping[str, Figures]],
    seeds: Sequence[int],
    overrides: Sequence[str],
    resamples: int,
    digests: Mapping[str, str],
) -> dict[str, Any]:
    rows = [
        {
            "model": model,
            "outputs": output,
            **{
                track: {"mean": one.mean, "interval": _interval(one.samples), "seeds": list(one.seeds)}
                for track, one in by_track.items()
            },
        }
        for (model, output), by_track in figures.items()
    ]
    claims = [
        {
            "claim": claim,
            **{
                track: {
                    "difference": figures[better][track].mean - figures[worse][track].mean,
                    "interval": _interval(figures[better][track].samples - figures[worse][track].samples),
                    "seeds_that_agree": sum(
                        a > b
                        for a, b in zip(
                            figures[better][track].seeds, figures[worse][track].seeds, strict=True
                        )
                    ),
                }
                for track in TRACKS
            },
        }
        for claim, better, worse in CLAIMS
    ]
    return {
        "seeds": list(seeds),
        "overrides": list(overrides),
        "resamples": resamples,
        "configs": dict(digests),
        "rows": rows,
        "claims": claims,
    }


def _interval(samples: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in np.percentile(samples, (2.5, 97.5))]


def markdown(result: Mapping[str, Any]) -> str:
    """Return the comparison as two Markdown tables, in percent."""
    lines = [
        "| Model | Outputs | AP^e H | of each seed | AP^e L | of each seed |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        cells = [row["model"], row["outputs"]]
        for track in TRACKS:
            one = row[track]
            cells += [
                _shown(one["mean"], one["interval"]),
                " / ".join(f"{100 * seed:.1f}" for seed in one["seeds"]),
            ]
        lines.append(f"| {' | '.join(cells)} |")
    count = len(result["seeds"])
    lines += ["", "| Difference | H | seeds | L | seeds |", "|---|---|---|---|---|"]
    for claim in result["claims"]:
        cells = [claim["claim"]]
        for track in TRACKS:
            one = claim[track]
            cells += [
                _shown(one["difference"], one["interval"], sign="+"),
                f"{one['seeds_that_agree']} of {count}",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _shown(value: float, interval: Sequence[float], sign: str = "") -> str:
    low, high = (f"{100 * bound:{sign}.1f}" for bound in interval)
    return f"{100 * value:{sign}.1f} [{low}, {high}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m entityseg.baselines.training.compare", description=__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("data", type=Path, help="folder of the mini dataset (entityseg data mini)")
    parser.add_argument("out", type=Path, help="folder of the result; the same to go on")
    parser.add_argument("overrides", nargs="*", help="settings of both models, such as schedule.steps=1000")
    parser.add_argument("--seeds", type=int, default=3, help="how many trainings of each model")
    given = parser.parse_args(arguments)
    result = compare(given.data, given.out, seeds=range(given.seeds), overrides=given.overrides)
    sys.stdout.write(markdown(result))


if __name__ == "__main__":
    main()
