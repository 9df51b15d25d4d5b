import json

import pytest

from entityseg.cli.main import run


def test_demo_prints_a_table_and_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["demo", "--quick", "--scenes", "4", "--bootstrap", "10"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert any("nothing lost" in line for line in lines) and lines[-1].startswith("Open file:///")
    assert next(line for line in lines if line.startswith("AP^e")).split()[2:4] != []
    assert (tmp_path / "demo/index.html").is_file()
    assert run(["demo", "--quick", "--scenes", "4", "--bootstrap", "0", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (
        result["conversion"]["lossless"] and result["scores"]["good"]["AP"] > result["scores"]["poor"]["AP"]
    )


def test_demo_refuses_a_folder_that_is_not_its_own(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("x")
    assert run(["demo", "--quick", "--out", str(tmp_path)]) == 2
    shown = capsys.readouterr().err
    assert "was not made by" in shown and "scenes in" not in shown


@pytest.mark.parametrize(
    "arguments", [["--scenes", "3"], ["--pred", "x.json"], ["--gt", "x.json"], ["extra"]]
)
def test_wrong_usage(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert run(["demo", "--quick", *arguments]) == 2
    assert "error" in capsys.readouterr().err and list(tmp_path.iterdir()) == []
