"""Dichotomous segmentation: a model's masks become one grey map, each pixel the highest score of its masks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from entityseg.benchmarks.harness.adapter import Adapter, Pictured, mode_option, read_pixels, segmented
from entityseg.data.threads import Progress
from entityseg.errors import Findings
from entityseg.files import atomic_folder
from entityseg.masks import from_dense, to_dense
from entityseg.metrics.dichotomous import FOREGROUND
from entityseg.metrics.result import Score
from entityseg.predictions.grey_maps import list_grey_maps, read_grey_map, write_grey_maps
from entityseg.protocols import Oracle, Segmentation

_SUFFIXES = (".jpg", ".png", ".jpeg")


class GreyAdapter(Adapter):
    """Predicts image by image; shards and predictions are folders of PNG files."""

    file: ClassVar[str] = "predictions"

    @cached_property
    def maps(self) -> list[Path]:
        """The true maps, by stem."""
        findings = Findings()
        found = list_grey_maps(self.truth.value, findings)
        findings.raise_errors()
        return [path for _, path in sorted(found.items())]

    def __len__(self) -> int:
        return len(self.maps)

    def images(self) -> Iterator[tuple[str, Path | None]]:
        """Give the pictures, by stem."""
        return ((one.stem, self._picture(one.stem)) for one in self.maps)

    def predict(self, model: Any, units: Sequence[int], path: Path) -> None:
        """Write the grey maps of some images."""
        write_grey_maps(path, ((self.maps[index].stem, self._one(model, index)) for index in units))

    def _one(self, model: Any, index: int) -> NDArray[np.uint8]:
        truth = read_grey_map(self.maps[index])
        size, stem = (truth.shape[0], truth.shape[1]), self.maps[index].stem
        pixels = read_pixels(self._picture(stem), size, stem)
        if isinstance(model, Oracle):
            model.reveal(stem, Segmentation(from_dense(truth[None] > FOREGROUND), np.ones(1)))
        found = segmented(lambda: model.segment(pixels), size, stem)
        masks = to_dense(found.masks)
        grey = np.zeros(size, np.uint8)
        for mask, score in zip(masks, np.clip(found.scores, 0, 1), strict=True):
            grey[mask] = np.maximum(grey[mask], np.uint8(round(255 * float(score))))
        return grey

    def _picture(self, stem: str) -> Path | None:
        return next(
            (path for suffix in _SUFFIXES if (path := self.truth.image_root / f"{stem}{suffix}").exists()),
            None,
        )

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the maps of all shards into one folder."""
        if path.exists():
            shutil.rmtree(path)
        with atomic_folder(path) as folder:
            for part in parts:
                for file in sorted(part.glob("*.png")):
                    shutil.copyfile(file, folder / file.name)

    def score(
        self,
        path: Path,
        *,
        mode: str,
        options: Mapping[str, Any],
        bootstrap: int,
        seed: int,
        threads: int | None,
        progress: Progress | None,
    ) -> Score:
        """Score a folder of grey maps."""
        from entityseg.benchmarks.harness.families import scorer

        return scorer("dichotomous")(
            self.truth.value, path, bootstrap=bootstrap, seed=seed, per_image=True, threads=threads, progress=progress,
            **mode_option(mode), **options,
        )  # fmt: skip

    def pictures(self, path: Path, ids: Sequence[Any]) -> Iterator[Pictured]:
        """Give images with both maps, cut at 128."""
        for stem in ids:
            truth = read_grey_map(self.truth.value / f"{stem}.png")
            file = path / f"{stem}.png"
            found = read_grey_map(file) if file.exists() else np.zeros_like(truth)
            size = truth.shape[0], truth.shape[1]
            gt, pred = from_dense(truth[None] > FOREGROUND), from_dense(found[None] > FOREGROUND)
            kept = np.flatnonzero(pred.areas > 0)
            yield Pictured(stem, self._picture(stem), size, gt, pred[kept], np.ones(len(kept)))
