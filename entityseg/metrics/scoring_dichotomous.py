"""Score folders of grey maps against folders of truth: pair by stem, read, check and measure on threads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entityseg.data.threads import Progress, map_in_order, no_progress
from entityseg.errors import Findings, InputError
from entityseg.metrics.dichotomous import FOREGROUND, Dichotomous, MapStatistics, statistics
from entityseg.metrics.dichotomous_fmeasure import Mode
from entityseg.metrics.result import Counts, Score
from entityseg.predictions.grey_maps import list_grey_maps, read_grey_map

_TRUTH_FOLDER = "gt"


def score_dichotomous(
    gt: str | Path,
    pred: str | Path,
    *,
    mode: Mode = "canonical",
    skeletons: str | Path | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    per_image: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Score:
    """Score grey maps by all measures of DIS5K.

    Args:
        gt: folder of 8-bit grey PNG files, foreground above 128; or a folder with such a folder `gt`.
        pred: folder of 8-bit grey PNG files of the same stems and sizes. A missing one counts as all background.
        mode: `canonical` ranks; `pysod` gives PySODMetrics' numbers, `dis-official` those of the DIS release.
        skeletons: folder of skeletons of the ground truth (above 128), for those images that it has.
        bootstrap: resamples of the images for the intervals, 0 for none.
        seed: of the resampling.
        per_image: whether to give the figures of each image alone.
        threads: worker threads, all cores if not given.
        progress: wraps the images as (iterable, total, label), to show a progress bar.

    Raises:
        InputError: something is wrong with the files; all problems are listed.
    """
    findings = Findings()
    folder = Path(gt)
    truths = list_grey_maps(folder / _TRUTH_FOLDER if (folder / _TRUTH_FOLDER).is_dir() else folder, findings)
    maps = list_grey_maps(pred, findings)
    thin = {} if skeletons is None else list_grey_maps(skeletons, findings)
    for paths, what in ((maps, "prediction"), (thin, "skeleton")):
        for stem in sorted(paths.keys() - truths.keys()):
            message = f"no ground truth has the stem of this {what}"
            remedy = "Name it as its ground truth, or take it away."
            findings.add("image.unknown", message, remedy, file=str(paths[stem]), value=stem)
    jobs = [_Job(path, maps.get(stem), thin.get(stem), mode) for stem, path in sorted(truths.items())]
    results = map_in_order(_Job.run, jobs, threads=threads)
    table = Dichotomous(mode)
    empty = empty_gt = 0
    for result in (progress or no_progress)(results, len(jobs), "scoring"):
        findings.extend(result.findings)
        if result.row is not None:
            table.add(result.stem, result.row)
            empty += result.empty
            empty_gt += not result.row.fg.any()
    findings.raise_errors()
    predicted = len(truths.keys() & maps.keys())
    return Score(
        metric="DIS",
        mode=mode,
        values=table.compute(),
        intervals=table.bootstrap(bootstrap, seed, threads=threads) if bootstrap else {},
        counts=Counts(len(truths), predicted, len(truths) - predicted, empty, {"empty_gt": empty_gt}),
        warnings=findings,
        per_image=table.per_unit() if per_image else None,
    )


@dataclass(frozen=True, slots=True)
class _Result:
    stem: str
    row: MapStatistics | None
    findings: Findings
    empty: bool = False


@dataclass(frozen=True, slots=True)
class _Job:
    """Scores one image; several threads do at once."""

    gt: Path
    pred: Path | None
    skeleton: Path | None
    mode: Mode

    def run(self) -> _Result:
        findings = Findings()
        stem = self.gt.stem
        truth = self._read(self.gt, None, findings)
        size = None if truth is None else (truth.shape[0], truth.shape[1])
        found = None if self.pred is None else self._read(self.pred, size, findings)
        thin = None if self.skeleton is None else self._read(self.skeleton, size, findings)
        if truth is None or findings.errors:
            return _Result(stem, None, findings)
        empty = found is not None and not found.any()
        found = np.zeros_like(truth) if found is None else found
        row = statistics(truth, found, self.mode, skeleton=None if thin is None else thin > FOREGROUND)
        return _Result(stem, row, findings, empty)

    def _read(self, path: Path, size: tuple[int, int] | None, findings: Findings) -> NDArray[np.uint8] | None:
        try:
            return read_grey_map(path, size=size)
        except InputError as error:
            findings.extend(error.findings)
            return None
