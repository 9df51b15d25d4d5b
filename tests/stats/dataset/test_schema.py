from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entityseg.errors import InputError, MissingFileError
from entityseg.stats.dataset.exports import to_csv, to_latex
from entityseg.stats.dataset.schema import (
    Column,
    Distribution,
    Identity,
    Statistics,
    StatTable,
    read_statistics,
    write_statistics,
)
from entityseg.stats.dataset.spread import (
    SHAPE_HISTOGRAMS,
    density_maps,
    entity_distributions,
    histogram,
    image_distributions,
)

IDENTITY = Identity(
    "a", "a.json", None, "entity", "a", "00", 1, 2, {"holes": True, "stuff": "joined"}, 10, 0, {"x": "1"}
)


def statistics() -> Statistics:
    table = StatTable(
        "t", "T", (Column("what"), Column("n", "px", "pixels")), (("a", 1.5), (None, 3), (True, -2))
    )
    spread = Distribution("d", "D", "histogram", "x", "n", (0, 0.5, 1), (3, 4), outside=(0, 2))
    grid = Distribution("m", "M", "map", "x", "y", (0, 1), (0, 1, 2), ((0.5,), (0.25,)))
    return Statistics(IDENTITY, {"t": table}, {"d": spread, "m": grid})


def test_there_and_back(tmp_path):
    path = write_statistics(tmp_path, statistics())
    assert read_statistics(tmp_path) == read_statistics(path) == statistics()
    assert statistics().tables["t"].find("a") == {"what": "a", "n": 1.5}
    with pytest.raises(KeyError):
        statistics().tables["t"].find("b")


def broken(change: Callable[[dict[str, Any]], None]) -> bytes:
    value = json.loads(json.dumps(statistics().to_json()))
    change(value)
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"{", "no statistics"),
        (b"[]", "no statistics"),
        (b"\xff\xfe", "no statistics"),
        (b"[" * 100_000, "no statistics"),
        (
            broken(lambda value: value.update(format="entityseg/statistics@9")),
            "reads entityseg/statistics@1 only",
        ),
        (broken(lambda value: value.pop("identity")), "no statistics"),
        (broken(lambda value: value.update(more=1)), "no statistics"),
        (broken(lambda value: value["tables"][0]["rows"].append([1])), "the row has 1 cells"),
        (broken(lambda value: value["tables"][0]["rows"].append([1, {}])), "no statistics"),
        (broken(lambda value: value["tables"].append(value["tables"][0])), "two tables"),
        (broken(lambda value: value["distributions"][0].update(y=[1])), "do not fit a histogram"),
        (broken(lambda value: value["distributions"][1].update(z=[[1, 2], [3, 4]])), "do not fit a map"),
        (broken(lambda value: value["distributions"][0].update(kind="pie")), "no statistics"),
    ],
)
def test_broken_files_are_refused(tmp_path, data, word):
    (tmp_path / "statistics.json").write_bytes(data)
    with pytest.raises(InputError, match=word) as caught:
        read_statistics(tmp_path)
    (finding,) = caught.value.findings
    assert finding.file == str(tmp_path / "statistics.json") and "compute" in finding.remedy


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(MissingFileError):
        read_statistics(tmp_path)


texts = st.text(st.characters(codec="utf-8"), max_size=12)
cells = st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(allow_nan=False), texts)


def as_text(cell: str) -> str:
    lines = re.sub(r"\r\n?", "\n", cell)
    return "'" + lines if lines[:1] in ("=", "+", "-", "@", "\t", "\n") else lines


@given(st.lists(st.tuples(cells, cells), max_size=6), texts)
@example([("a\rb", "=1\r\n"), ("\r", "\tx")], "\n")
def test_csv_says_the_same(rows, name):
    table = StatTable("t", "T", (Column(name), Column("b", "px")), tuple(rows))
    read = list(csv.reader(io.StringIO(to_csv(table), newline="")))
    assert read[0] == [as_text(name), "b [px]"] and len(read) == len(rows) + 1
    for row, got in zip(rows, read[1:], strict=True):
        for cell, text in zip(row, got, strict=True):
            if isinstance(cell, bool):
                assert text == str(cell).lower()
            elif isinstance(cell, int | float):
                assert type(cell)(text) == cell
            elif cell is None:
                assert text == ""
            else:
                assert text == as_text(cell)


@given(st.lists(st.tuples(cells, cells), max_size=4), texts)
@example([("[2pt]", "*"), ('"\x00\u2028', None)], "[\n%")
def test_latex_has_nothing_unescaped(rows, name):
    table = StatTable("t", name, (Column(name), Column("b_c")), tuple(rows))
    lines = to_latex(table).splitlines()
    assert len(lines) == 7 + len(rows)
    for line in lines[6:-2]:
        assert line.endswith(r" \\")
        bare = re.sub(r"\\[{}$&%#_]|\\text[a-z]+\{\}|\{[\[\]*]\}", "", line[:-3])
        assert bare.count("&") == 1 and not re.search(
            r"[][*\\{}$%#_~^<>|\"\x00-\x1f]", bare.replace("&", "", 1)
        )


@given(st.lists(st.floats(-1, 2), max_size=40))
def test_histograms_lose_nothing(values):
    edges = np.linspace(0, 1, 5)
    found = histogram("a", "A", [*values, np.nan], edges, "x", "n")
    assert sum(found.y) + sum(found.outside) == len(values)
    assert found.y[-1] == sum(0.75 <= value <= 1 for value in values)


def test_histograms_of_entities_add_up_over_batches():
    rng = np.random.default_rng(0)
    names = ("relative_area", *SHAPE_HISTOGRAMS)
    whole = {name: np.append(rng.uniform(-0.1, 1.4, 50), np.nan) for name in names}
    cut = [{name: column[start : start + 20] for name, column in whole.items()} for start in (0, 20, 40)]
    assert entity_distributions(cut) == entity_distributions([whole])
    assert all(sum(one.y) + sum(one.outside) == 50 for one in entity_distributions(cut))
    assert all(sum(one.y) == 0 for one in entity_distributions([]))


def test_distributions_of_images_by_hand():
    images = {
        "width": np.array([100, 40]), "height": np.array([100, 10]), "entities": np.array([3, 0]),
        "covered": np.array([10_000, 100]),
    }  # fmt: skip
    resolution, entities, coverage = image_distributions(images)
    assert resolution.x == (0, 50, 100, 150) and resolution.y == (1, 0, 1)
    assert entities.x == (0, 1, 2, 3) and entities.y == (1, 0, 0, 1)
    assert coverage.y[25] == 1 and coverage.y[99] == 1
    nothing = image_distributions({name: values[:0] for name, values in images.items()})
    assert [sum(one.y) for one in nothing] == [0, 0, 0]


def test_maps_without_images_are_zero():
    maps = density_maps(np.zeros((4, 16, 16), np.int64))
    assert [np.array(one.z).sum() for one in maps] == [0, 0, 0]
