"""The benchmark's own honesty: both ways get the same logits and find the same masks."""

from __future__ import annotations

import numpy as np
import pytest

from entityseg.benchmarks.perf import inference


@pytest.mark.parametrize("kind", inference.KINDS)
def test_both_ways_find_the_same_masks(kind: str) -> None:
    logits, scores = inference.made_logits(kind, 0.05, queries=20)
    ours = inference._chunked(logits, scores.copy(), 1)
    plain = inference._plain(logits, scores.copy(), 1)
    assert len(ours) == len(plain) > 3
    # float32 on both sides, summed in another order: a pixel in ten thousand may change hands.
    assert np.abs(ours - plain).max() <= 5


def test_what_does_not_fit_is_extrapolated_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(way: str, kind: str, size: float, *_: object) -> dict[str, float]:
        return {"seconds": size * (10 if way == "plain" else 1), "peak": size * 1000, "covered": 1.0}

    monkeypatch.setattr(inference, "_measured", measured)
    monkeypatch.setattr(inference, "_fits", lambda size, queries: size <= 4)
    report = inference.compare([4, 24], kinds=["noise"], repeat=1)
    rows = {(row["way"], row["megapixels"]): row for row in report["rows"]}
    assert rows["plain", 24]["seconds"] == 240 and rows["plain", 24]["extrapolated"]
    assert "extrapolated" not in rows["plain", 4] and rows["chunked", 24]["seconds"] == 24
    assert "~240.00" in inference.table(report)


def test_ways_that_disagree_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(way: str, *_: object) -> dict[str, float]:
        return {"seconds": 1, "peak": 1, "covered": 0.5 if way == "plain" else 0.9}

    monkeypatch.setattr(inference, "_measured", measured)
    with pytest.raises(RuntimeError, match="cover"):
        inference.compare([1], kinds=["noise"], repeat=1)
