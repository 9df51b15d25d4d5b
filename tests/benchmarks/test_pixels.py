"""The benchmarks of pixel counts and of memory: both sides agree, and tables say what was measured."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

from entityseg.benchmarks.perf import memory, pixels
from entityseg.benchmarks.perf.__main__ import main
from tests.metrics.families import FAMILIES


def test_plain_loops_and_ours_agree(capsys: pytest.CaptureFixture[str]) -> None:
    report = pixels.compare(repeat=1, size=(120, 150), seed=3)
    assert list(report) == [
        "mIoU, smooth maps", "mIoU, noisy maps", "mIoU, RLE", "referring cIoU, RLE", "tube AP, RLE",
        "STQ, id maps",
    ]  # fmt: skip
    for one in report.values():
        assert 0 < one["figure"] < 1 and set(one["seconds"]) == {"plain loop", "ours"}
    lines = pixels.table(report).splitlines()
    assert len(lines) == 8 and lines[2].startswith("| mIoU, smooth maps ")
    assert main(["pixels", "--problems", "nothing"]) == 1
    assert "unknown problem 'nothing'" in capsys.readouterr().err


def test_a_figure_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = pixels.Problem("a", {pixels.PLAIN: lambda: 0.5, pixels.OURS: lambda: 0.5 + 1e-9})
    monkeypatch.setattr(pixels, "problems", lambda seed, size: [problem])
    with pytest.raises(RuntimeError, match="ours is"):
        pixels.compare()


def test_every_metric_is_in_the_memory_benchmark() -> None:
    def kind(make: object) -> type:
        table = make() if not inspect.isclass(make) else make
        return table if inspect.isclass(table) else type(table)

    measured = {kind(family.table) for family in memory.families().values()}
    # With classes or without, boundaries change the IoU and not what is kept.
    assert {type(family.make()).__name__ for family in FAMILIES} - {one.__name__ for one in measured} == {
        "BoundaryInstanceAP"
    }


def test_memory_of_a_unit_is_measured_and_bounded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["memory", "--families", "nothing"]) == 1
    assert "unknown family 'nothing'" in capsys.readouterr().err
    sizes = {2000: (1e6, 3e6), 8000: (7e6, 21e6)}
    monkeypatch.setattr(memory, "_measured", lambda family, units, resamples: sizes[units])
    assert main(["memory", "--families", "referring", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["families"]["referring"]
    assert (row["held"], row["peak"], row["limit"]) == (1000, 3000, 8192)
    sizes[8000] = (7e6, 81e6)
    assert main(["memory", "--families", "referring"]) == 1
    assert "takes 13000 bytes a unit, more than 8192" in capsys.readouterr().err


def test_a_process_tells_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Large:
        """Keeps 40 MiB a unit, too large for malloc to reuse what was freed, and takes as much to compute."""

        def __init__(self) -> None:
            self.rows: list[np.ndarray] = []

        def compute(self) -> None:
            np.ones(40 * 2**20, np.uint8)

        def bootstrap(self, n: int, threads: int) -> None:
            assert threads == 1

    def feed(table: Large, unit: int, rng: np.random.Generator) -> None:
        table.rows.append(np.ones(40 * 2**20, np.uint8))

    monkeypatch.setattr(memory, "families", lambda: {"large": memory.Family(Large, feed)})
    held, peak = memory._child("large", 3, 5)
    assert held / 2**20 == pytest.approx(120, abs=20) and (peak - held) / 2**20 == pytest.approx(40, abs=20)
