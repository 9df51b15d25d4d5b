"""`entityseg published list | show | lint`."""

from __future__ import annotations

import json

import pytest

from entityseg.cli.main import run

Capture = pytest.CaptureFixture[str]


def test_list(capsys: Capture) -> None:
    assert run(["published", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:3] == ["esg-X", "10", "7"] for line in lines)


def test_list_as_json(capsys: Capture) -> None:
    assert run(["published", "list", "--json"]) == 0
    tables = {table["table"]: table for table in json.loads(capsys.readouterr().out)["tables"]}
    assert tables["esg-IX"]["tasks"][0] == "refcoco+-testA"
    assert tables["esg-XVIII"]["flagged"] == 1


def test_show_prints_figures_notes_and_verdicts(capsys: Capture) -> None:
    assert run(["published", "show", "ESG-x"]) == 0
    text = capsys.readouterr().out
    cells = [line.split() for line in text.splitlines()]
    assert ["10", "GELLA-13B", "71.3", "67.8", "73.1", "71.0", "59.5"] in cells
    assert ["1", "MCN", "-", "48.2", "-", "-", "-"] in cells
    assert "note on 2: Printed PNG_b." in text
    assert "impossible (png-partition), row 10: " in text
    assert "Table X, section 5.3" in text


def test_show_has_every_part(capsys: Capture) -> None:
    assert run(["published", "show", "esg-XVIII"]) == 0
    text = capsys.readouterr().out
    assert "esg-XVIII(a): " in text
    assert "esg-XVIII(b): " in text


def test_show_as_json(capsys: Capture) -> None:
    assert run(["published", "show", "esg-XVIII", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[5]["figures"] == {"PQ": 79.6, "SQ": 97.8, "RQ": 91.4}
    assert rows[5]["verdicts"][0]["rule"] == "pq-bound"


def test_unknown_table_is_wrong_usage(capsys: Capture) -> None:
    assert run(["published", "show", "esg-XXx"]) == 2
    assert "did you mean esg-XX" in capsys.readouterr().err


def test_lint(capsys: Capture) -> None:
    assert run(["published", "lint"]) == 0
    text = capsys.readouterr().out
    assert "esg-XVIII(b)#3 GELLA (ground truth): impossible (pq-bound)" in text
    assert text.splitlines()[-1] == "246 rows, 34 flagged, 36 verdicts"


def test_lint_as_json(capsys: Capture) -> None:
    assert run(["published", "lint", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["flagged"] == len({verdict["row"] for verdict in value["verdicts"]}) == 34
    assert {verdict["severity"] for verdict in value["verdicts"]} == {
        "impossible",
        "contradicted",
        "doubtful",
        "differs",
    }
