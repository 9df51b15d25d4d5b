"""What every metric's table keeps: how work was cut and in which order it came has no say, in any mode."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import entityseg.metrics
from entityseg.errors import InputError, UsageError
from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.table import Table, sorted_ids
from tests.metrics.families import FAMILIES, UNITS, Family

every = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
orderless = pytest.mark.parametrize(
    "family", [one for one in FAMILIES if one.orderless], ids=lambda family: family.name
)


@cache
def whole_of(family: Family) -> Table[Any]:
    """The table of all units as they are listed; nobody changes it."""
    return family.table()


def modules() -> list[Any]:
    names = [one.name for one in pkgutil.iter_modules(entityseg.metrics.__path__)]
    return [importlib.import_module(f"entityseg.metrics.{name}") for name in names]


def test_no_metric_and_no_mode_is_missing_here() -> None:
    tables = {
        one
        for module in modules()
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, Table) and not inspect.isabstract(one)
    }
    made = [family.make() for family in FAMILIES]
    assert {type(table) for table in made} == tables and len(tables) >= 13
    for table in tables:
        annotation = inspect.signature(table).parameters.get("mode")
        if annotation is None:
            continue
        # The module that the table's __init__ was written in says which modes there are.
        literal = vars(inspect.getmodule(table.__init__))[annotation.annotation]
        assert {one.mode for one in made if type(one) is table} == set(get_args(literal)), table


def close(found: dict[str, float | None], expected: dict[str, float | None]) -> None:
    """Equal up to the last bits, and undefined at the same places."""
    assert found == {
        name: None if value is None else pytest.approx(value, abs=1e-12) for name, value in expected.items()
    }


@every
@settings(max_examples=12)
@given(data=st.data())
def test_cut_and_order_of_units_change_not_a_bit(family: Family, data: st.DataObject) -> None:
    whole = whole_of(family)
    shards = [family.make() for _ in range(3)]
    for unit in data.draw(st.permutations(list(whole.units))):
        shards[data.draw(st.integers(0, 2))].add(unit, whole.units[unit])
    first, second, third = data.draw(st.permutations(shards))
    merged = first.merge(second.merge(third))
    assert merged.compute() == whole.compute()
    assert merged.bootstrap(20, seed=1) == whole.bootstrap(20, seed=1)
    assert merged.per_unit() == whole.per_unit()
    assert list(merged.per_unit()) == sorted_ids(whole.units)


@orderless
@settings(max_examples=5)
@given(units=st.permutations(range(UNITS)), data=st.data())
def test_order_of_records_in_a_unit_changes_not_a_bit(
    family: Family, units: list[int], data: st.DataObject
) -> None:
    other = family.table(units, order=lambda n: data.draw(st.permutations(range(n))))
    whole = whole_of(family)
    assert other.compute() == whole.compute()
    assert other.per_unit() == whole.per_unit()
    assert other.bootstrap(10) == whole.bootstrap(10)


@every
def test_no_weights_are_weights_of_one(family: Family) -> None:
    table = whole_of(family)
    assert table.compute() == table.compute(dict.fromkeys(table.units, 1))


@every
def test_a_unit_with_a_weight_is_so_many_units(family: Family) -> None:
    if not family.copies:
        pytest.skip(
            "the order of equal scores has a say in this mode, so copies are not one unit with a weight"
        )
    table, copies = whole_of(family), family.make()
    weights = {unit: k % 4 for k, unit in enumerate(table.units)}
    for unit, weight in weights.items():
        for number in range(weight):
            image, *rest = unit if isinstance(unit, tuple) else (unit,)
            copies.add((image + 1000 * number, *rest), table.units[unit])
    close(table.compute(weights), copies.compute())


@every
def test_figures_of_a_unit_are_those_of_the_table_with_nothing_else(family: Family) -> None:
    table = whole_of(family)
    for unit, values in table.per_unit().items():
        alone = family.make()
        alone.add(unit, table.units[unit])
        assert values == alone.compute()
        close(values, table.compute({unit: 1}))


@every
def test_resamples_are_what_they_say(family: Family) -> None:
    table = whole_of(family)
    clusters = list(dict.fromkeys(table.cluster(unit) for unit in table.sorted_units()))
    samples = table.resample(20, seed=5, threads=2)
    again, other = table.resample(20, seed=5, threads=1), table.resample(20, seed=6)
    assert all(np.array_equal(values, again[name], equal_nan=True) for name, values in samples.items())
    assert any(not np.array_equal(values, other[name], equal_nan=True) for name, values in samples.items())
    generator = np.random.default_rng(5)
    drawn = [generator.integers(0, len(clusters), len(clusters)) for _ in range(20)]
    for k in (0, 15, 16, 19):  # On both sides of a batch's end.
        times = dict(zip(clusters, np.bincount(drawn[k], minlength=len(clusters)).tolist(), strict=True))
        expected = table.compute({unit: times[table.cluster(unit)] for unit in table.units})
        close({name: None if np.isnan(v[k]) else float(v[k]) for name, v in samples.items()}, expected)
    intervals = table.bootstrap(20, seed=5)
    for name, values in samples.items():
        defined = values[~np.isnan(values)]
        ends = tuple(np.percentile(defined, [2.5, 97.5])) if len(defined) else None
        assert intervals[name] == (None if ends is None else pytest.approx(ends, abs=1e-12))


@every
def test_a_unit_seen_twice_is_refused_and_nothing_is_added(family: Family) -> None:
    table, other = family.table([0, 1]), family.table([1, 2])
    before = dict(table.units)
    with pytest.raises(InputError, match=r"unit\.duplicate"):
        table.merge(other)
    assert table.units == before
    with pytest.raises(InputError, match=r"unit\.duplicate"):
        family.feed(table, 1, range, False)


def test_tables_that_were_made_differently_are_not_merged() -> None:
    made = [family.make() for family in FAMILIES]
    for i, one in enumerate(made):
        for j, other in enumerate(made):
            if i != j:
                with pytest.raises(UsageError, match=r"table\.options"):
                    one.merge(other)  # type: ignore[arg-type]


@every
def test_undefined_is_none_and_never_a_number(family: Family) -> None:
    nothing, table = family.make(), whole_of(family)
    assert set(nothing.compute().values()) == {None} and nothing.per_unit() == {}
    assert set(nothing.bootstrap(5).values()) == {None}
    assert set(table.compute({}).values()) == {None}
    assert list(nothing.compute()) == list(table.compute())
    for values in (table.compute(), *table.per_unit().values()):
        for name, value in values.items():
            if value is None:
                continue
            top = np.inf if name in family.counts else (1 + 1e-2 if name in family.above_one else 1)
            # Not -0.0 either, which JSON would show.
            assert type(value) is float and 0 <= value <= top and np.copysign(1, value) == 1, name


@every
def test_the_truth_scores_one(family: Family) -> None:
    values = family.table(perfect=True).compute()
    assert set(family.main) <= set(values)
    assert {name: values[name] for name in family.main} == {
        # LISA, CRIS and PySODMetrics add something to denominators.
        name: pytest.approx(1, abs=1e-8)
        for name in family.main
    }
    if "canonical" in family.name and not family.counts:
        assert {values[name] for name in family.main} == {1.0}


@pytest.mark.parametrize(
    "family", [one for one in FAMILIES if one.name.endswith("canonical")], ids=lambda family: family.name
)
def test_an_unknown_mode_is_refused(family: Family) -> None:
    with pytest.raises(UsageError, match=r"mode\.unknown"):
        type(family.make())(*([{}] if family.name.startswith(("panoptic", "stq")) else []), mode="official")


@every
def test_rows_keep_no_larger_array_alive(family: Family) -> None:
    """A row that is a view of a larger array would keep it alive: 100 units cost 100 images."""
    for row in whole_of(family).units.values():
        for name in getattr(row, "__slots__", ()):
            value = getattr(row, name)
            if isinstance(value, np.ndarray):
                assert value.base is None or value.base.nbytes <= 2 * value.nbytes + 64, name


@pytest.mark.parametrize("level", [0, 1, 1.5, float("nan")])
def test_level_of_an_interval_that_is_none(level: float) -> None:
    with pytest.raises(UsageError, match=r"bootstrap\.level"):
        EntityAP().bootstrap(10, level=level)
