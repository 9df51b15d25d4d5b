"""The boundary benchmark: its figures are checked against each other, and its table says what was measured."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from entityseg.benchmarks.perf import boundary
from entityseg.benchmarks.perf.__main__ import main
from entityseg.benchmarks.perf.generate import generate


def test_ours_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder,) = generate(tmp_path, 2, [], 0, long_sides=(120, 260), predictions=10)[:1]
    assert main(["boundary", str(folder), "--tools", "ours,ours-compat", "--repeat", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = report["variants"]["over"]
    assert 0 < rows["ours"]["figures"]["AP"] < 1 and rows["ours-compat"]["cpu"] > 0
    assert "ours-compat" in boundary.table(report)
    assert main(["boundary", str(folder), "--tools", "other"]) == 1


def test_equal_figures_as_vernier_or_no_table(tmp_path: Path) -> None:
    pytest.importorskip("vernier", reason="vernier is in the extra `perf`")
    folder = generate(tmp_path, 2, [], 0, long_sides=(120, 260), predictions=10)[0]
    rows = boundary.compare(folder, repeat=1)["variants"]["over"]
    changed = copy.deepcopy(rows)
    changed["ours-compat"]["figures"]["AP"] += 1e-6
    with pytest.raises(RuntimeError, match="ours-compat: AP"):
        boundary._check(changed)
