"""Recall of class-agnostic masks that may overlap: sets in the wild, whose labels are not exhaustive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from entityseg.benchmarks.harness.images import ImagesAdapter
from entityseg.data.threads import Progress
from entityseg.metrics.result import Score


class RecallAdapter(ImagesAdapter):
    """Class-agnostic masks of which only recall is asked; they may overlap."""

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
        """Score a file of predictions; figures of precision make no sense here and are left out."""
        scored = super().score(
            path, mode=mode, options={"overlap": "allow", **options}, bootstrap=bootstrap, seed=seed,
            threads=threads, progress=progress,
        )  # fmt: skip
        return Score(
            metric="AR",
            mode=scored.mode,
            values=_recalls(scored.values),
            intervals=_recalls(scored.intervals),
            counts=scored.counts,
            options=scored.options,
            warnings=scored.warnings,
            per_image={unit: _recalls(values) for unit, values in (scored.per_image or {}).items()},
        )


def _recalls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name.startswith("AR")}
