"""`entityseg stats compute` and `calibrate`, called from an empty folder."""

from __future__ import annotations

import json

import pytest

from entityseg.cli.main import run
from entityseg.data import write_mini
from entityseg.stats import read_statistics


@pytest.fixture
def cli(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        code = run([str(one) for one in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "mini"
    write_mini(folder, scenes=4, jobs=1)
    return folder


@pytest.fixture
def mini(made, tmp_path, cli):
    (tmp_path / "mini").symlink_to(made)
    return "mini"


def test_compute_from_nothing(cli, mini, tmp_path):
    code, out, err = cli(
        "stats", "compute", mini, "--split", "train", "-o", "out", "--hash", "--class-density"
    )
    assert code == 0 and err == "written: out\n"
    assert (
        out.startswith("mini train: 3 images, ")
        and "valid area (images)" in out
        and "convexity (entities)" in out
    )
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "statistics.json", "run.json", "shards", "tables", "images.parquet", "entities.parquet",
        "cooccurrence.parquet", "class_density.parquet",
    }  # fmt: skip
    found = read_statistics("out")
    assert found.identity.image_root is not None and found.identity.split == "train"
    assert found.tables["exclusions"].find("missing pictures")["count"] == 0


def test_json_is_what_is_written(cli, mini, tmp_path):
    code, out, err = cli("stats", "compute", mini, "--split", "val", "-o", "out", "--json", "--bootstrap", 0)
    assert code == 0 and err == "written: out\n"
    assert json.loads(out) == json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert {one["low"] for one in read_statistics("out").tables["table1"].records()} == {None}


def test_choices_are_recorded(cli, mini):
    options = [
        "--stuff",
        "parts",
        "--crowd",
        "entity",
        "--perimeter",
        "edges",
        "--no-holes",
        "--parts",
        "each",
    ]
    code, *_ = cli(
        "stats", "compute", mini, "--split", "val", "-o", "out", *options, "--hull", "centres", "--seed", 3
    )
    about = read_statistics("out").identity
    assert code == 0 and about.seed == 3
    assert about.choices == {
        "stuff": "parts", "crowd": "entity", "perimeter": "edges", "holes": False, "parts": "each", "hull": "centres",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["compute", "nowhere", "-o", "out"], 1, "there is no such file or folder"),
        (["compute", "mini", "-o", "out"], 2, "it can be read in"),
        (["compute", "mini", "--split", "val"], 2, "--out"),
        (["compute", "mini", "--split", "val", "-o", "mini"], 2, "something else than statistics"),
        (["compute", "mini", "--split", "val", "-o", "out", "--perimeter", "ruler"], 2, "crofton"),
        (["compute", "mini", "--split", "val", "-o", "out", "--against", "x"], 2, "Add `--hash`"),
        (
            ["compute", "mini", "--split", "val", "-o", "out", "--hash", "--against", "x"],
            1,
            "the table is missing",
        ),
        (["compute", "mini", "--split", "val", "-o", "out", "--images", "nowhere"], 2, "does not exist"),
        (["calibrate", "mini", "--split", "val", "-o", "mini/scenes.json"], 2, "that is no table of choices"),
        (["report", "mini"], 1, "the folder holds no statistics"),
        (["calibrate", "mini", "--split", "val", "--published", "LVIS"], 2, "coco, ade20k, entityseg"),
    ],
)
def test_wrong_usage_says_what_to_do(cli, mini, arguments, code, words):
    found, out, err = cli("stats", *arguments)
    assert found == code and words in err and out == ""
    found, out, _ = cli("stats", *arguments, "--json")
    assert found == code and "error" in json.loads(out)


def test_calibrate_as_text_json_and_csv(cli, mini, tmp_path):
    code, out, err = cli("stats", "calibrate", mini, "--split", "val", "--rows", 3, "--out", "all.csv")
    assert code == 0 and err == "written: all.csv\n"
    assert "convexity 0.758, simplicity 0.581" in out and out.count("crofton") + out.count("edges") <= 3
    code, out, err = cli("stats", "calibrate", mini, "--split", "val", "--published", "EntitySeg", "--json")
    found = json.loads(out)
    assert code == 0 and err == "" and found["target"]["convexity"] == 0.719
    assert len(found["rows"]) == len((tmp_path / "all.csv").read_text().splitlines()) - 1


def test_help_ends_with_examples(cli):
    for noun in ([], ["compute"], ["calibrate"]):
        code, out, _ = cli("stats", *noun, "--help")
        assert (
            code == 0
            and "Examples:\n" in out
            and out.rstrip().splitlines()[-1].strip().startswith("entityseg stats")
        )
