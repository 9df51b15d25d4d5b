"""The published rows: complete, as printed, strictly read, mapped to tasks."""

from __future__ import annotations

from decimal import Decimal

import pydantic
import pytest

from entityseg.published import find, rows, tables, tasks
from entityseg.published.reading import all_rows, parse
from entityseg.published.records import Protocol, PublishedRow, Unit

# Without III, an example of a dialogue.
TENS, ONES = ("", "X", "XX"), ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
ROMAN = [tens + ones for tens in TENS for ones in ONES if tens + ones not in ("", "III")][:22]
FILE = """
[source]
title = "A paper"
reference = "nowhere"

[[table]]
id = "t"
number = "Table 1"
section = "1"
protocol = "pq"
settings = ["backbone"]
columns = ["PQ", "SQ"]
rows = [{ method = "m", settings = ["R-50"], values = [1.0, "-"] }]
tasks = { coco-panoptic = "*" }
"""


class RowModel(pydantic.BaseModel):
    """The row as a strict model: every field, nothing else."""

    model_config = pydantic.ConfigDict(extra="forbid")

    id: str
    table: str
    part: str
    number: int = pydantic.Field(ge=1)
    source: str = pydantic.Field(min_length=5)
    about: str = pydantic.Field(min_length=5)
    protocol: Protocol
    method: str = pydantic.Field(min_length=1)
    settings: dict[str, str]
    figures: dict[str, float]
    units: dict[str, Unit]
    tasks: dict[str, dict[str, str]]
    notes: list[str]
    ablation: bool
    also: list[str]
    original_of: list[str]
    restates: list[str]
    relations: list[dict[str, object]]
    verdicts: list[dict[str, object]]


def row(row_id: str) -> PublishedRow:
    (found,) = [each for each in all_rows() if each.id == row_id]
    return found


def test_every_table_of_both_papers_and_the_readme_is_there() -> None:
    expected = {f"cropformer-{n}" for n in range(1, 11)} | {f"esg-{n}" for n in ROMAN}
    expected |= {f"readme-{name}" for name in ("entity", "instance", "semantic", "panoptic")}
    assert expected <= set(tables())
    assert len({each.id for each in all_rows()}) == len(all_rows())


@pytest.mark.parametrize(
    ("table", "count"),
    [
        ("cropformer-3", 20),
        ("esg-IX", 10),
        ("esg-X", 10),
        ("esg-XIII", 8),
        ("esg-XIX", 10),
        ("readme-entity", 12),
    ],
)
def test_number_of_rows(table: str, count: int) -> None:
    assert len(rows(table)) == count


def test_rows_pass_a_strict_model() -> None:
    for each in all_rows():
        RowModel.model_validate(each.to_json(), strict=False)
        assert each.figures.keys() == each.units.keys()


def test_percentages_are_percentages() -> None:
    for each in all_rows():
        for name, figure in each.figures.items():
            if each.units[name] in ("percent", "fraction"):
                assert 0 < figure < (100 if each.units[name] == "percent" else 1), (each.id, name)


def test_figures_keep_their_printed_digits() -> None:
    assert str(row("esg-VIII#2").figures["CAMO"]) == "59.70"
    assert str(row("cropformer-3(INS)#1").figures["AP"]) == "5.0"
    assert row("cropformer-5#1").figures["HCE"] == Decimal(1116)


def test_cells_without_a_figure_are_left_out() -> None:
    assert list(row("esg-X#1").figures) == ["AR_Th"]
    assert not row("cropformer-7#2").figures
    assert "Out of memory." in row("cropformer-7#2").notes


def test_repeated_tables_have_their_own_source() -> None:
    first, second = row("cropformer-3(SEM)#1"), row("esg-IV(SEM)#1")
    assert first.figures == second.figures
    assert "2211.05776" in first.source
    assert "2402.02555v2" in second.source
    assert "Table IV" in second.source


def test_the_same_model_has_the_same_figures_in_four_tables() -> None:
    main = row("esg-X#9").figures
    for other in ("esg-XXI#4", "esg-XXII#4", "esg-XXIII#2"):
        figures = row(other).figures
        assert {name: figures[name] for name in main} == main


def test_mean_of_the_logs_is_the_printed_sginw_score() -> None:
    for method in ("Grounded-SAM", "Grounded-HQ-SAM"):
        (sets,) = [each for each in rows("elsewhere-sginw") if each.method == method and each.part == "sets"]
        (printed,) = [each for each in rows("esg-XIV") if each.method == method]
        assert len(sets.figures) == 25
        assert abs(sum(sets.figures.values()) / 25 - printed.figures["AP"]) <= Decimal("0.05")


def test_gains_are_the_differences() -> None:
    by_method = {
        (each.method, each.settings.get("schedule")): each.figures
        for each in rows("cropformer-8")
        if each.part == "a"
    }
    for schedule in ("1x", "2x", "3x", "4x"):
        ours = by_method["CropFormer", schedule]
        assert ours["AP^e"] - by_method["Mask2Former", schedule]["AP^e"] == ours["gain"]


def test_tasks_have_rows_under_their_metrics() -> None:
    for task in tasks():
        assert find(task, ablations=True)
    expected = {
        "entityseg-entity-high": ("AP", "48.2"),
        "entityseg-entity-low": ("AP", "45.8"),
        "entityseg-semantic": ("mIoU", "51.1"),
        "entityseg-instance": ("AP", "30.3"),
        "entityseg-panoptic": ("PQ", "13.5"),
        "coco-panoptic": ("PQ", "56.5"),
        "ade20k-open-vocabulary": ("PQ", "21.1"),
        "refcoco-val": ("cIoU", "76.7"),
        "refcoco+-testB": ("cIoU", "60.6"),
        "png-given-phrases": ("AR", "66.1"),
        "png-end-to-end": ("AR_Pl", "59.5"),
        "reasonseg-test": ("gIoU", "63.3"),
        "sginw": ("mean_AP", "50.7"),
        "dis5k-vd": ("HCE", "969"),
        "youtubevis-2019": ("AP", "61.3"),
        "vipseg": ("VPQ", "37.0"),
    }
    for task, (metric, figure) in expected.items():
        assert Decimal(figure) in [each.figures.get(metric) for each in find(task)], task


def test_find_leaves_out_ablations_unless_asked() -> None:
    assert {found.row.table for found in find("png-end-to-end")} == {"esg-X", "esg-XII"}
    assert "esg-XIX" in {found.row.table for found in find("png-end-to-end", ablations=True)}
    assert find("no-such-task") == []


def test_unknown_table_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="esg-III"):
        rows("esg-III")


def test_a_file_is_read() -> None:
    (found,) = parse(FILE)
    assert found.figures == {"PQ": Decimal("1.0")}
    assert found.task_figures("coco-panoptic") == {"PQ": Decimal("1.0")}
    assert found.settings == {"backbone": "R-50"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"PQ", "SQ"]', '"PQ"]', "as many values"),
        ('["R-50"]', "[]", "as many values"),
        ('"-"]', "true]", "neither a number"),
        ('"-"]', '"n/a"]', "neither a number"),
        ('protocol = "pq"', 'protocol = "PQish"', "Invalid enum value 'PQish'"),
        ('protocol = "pq"', 'protokoll = "pq"', "unknown field `protokoll`"),
        ('method = "m"', 'method = "m", score = 3', "unknown field `score`"),
        ('= "*" }', '= { PQ = "RQ" } }', "no column"),
        ('section = "1"', 'section = "1"\nsums = { RQ = ["PQ"] }', "no columns"),
        ('section = "1"', 'section = "1"\nrepeats = "t"', "not there"),
        ("[source]", "[source", "Expected"),
    ],
)
def test_files_that_contradict_themselves_are_refused(old: str, new: str, message: str) -> None:
    assert old in FILE
    with pytest.raises(ValueError, match=message):
        parse(FILE.replace(old, new, 1))


def test_a_table_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse(FILE + FILE[FILE.index("[[table]]") :])
