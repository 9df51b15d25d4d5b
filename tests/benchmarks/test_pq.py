"""The benchmark of panoptic quality: its tools agree, its table adds up."""

from __future__ import annotations

from pathlib import Path

import pytest

from entityseg.benchmarks.perf import pq
from entityseg.metrics.scoring_panoptic import score_panoptic


def test_the_tools_agree_on_the_made_files(tmp_path: Path) -> None:
    pixels, segments = pq.make_files(tmp_path, 2, seed=1, long_sides=(120, 200))
    assert pixels > 2 * 80 * 120 and segments > 10
    want = pq.plain_loop(tmp_path, 1)
    assert 0 < want < 1 and pq.plain_loop(tmp_path, 2) == pytest.approx(want, abs=1e-12)
    for suffix in ("", "_rle"):
        assert pq.ours(tmp_path, 1, suffix) == pytest.approx(want, abs=1e-12)
    result = score_panoptic(tmp_path / "gt.json", tmp_path / "pred.json", mode="panopticapi", bootstrap=0)
    assert result["PQ"] == pytest.approx(want, abs=1e-12)


def test_hotcoco_agrees(tmp_path: Path) -> None:
    pytest.importorskip("hotcoco")
    pq.make_files(tmp_path, 2, seed=1, long_sides=(120, 200))
    for rle in (False, True):
        assert pq.hotcoco(tmp_path, rle) == pytest.approx(pq.plain_loop(tmp_path, 1), abs=1e-9)


def test_the_table_compares_like_with_like() -> None:
    seconds = {pq.PLAIN: 3.0, pq.OURS: 1.0, pq.HOTCOCO_RLE: 0.5, pq.OURS_RLE: 0.1}
    report = {"seconds": seconds, "images": 2, "megapixels": 8.0, "segments": 9, "workers": 1}
    lines = pq.table(report).splitlines()[2:]
    assert [line.split("|")[3].strip() for line in lines] == ["3.00x", "1.00x", "5.00x", "1.00x"]
