from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from entityseg.data.records import Category
from entityseg.stats.dataset.classes import category_table, kind_table, zipf_table
from entityseg.stats.dataset.cooccurrence import LEAST_IMAGES, cooccurrence, cooccurrence_tables
from entityseg.stats.dataset.occurrences import occurrences
from entityseg.stats.dataset.zipf import fit_zipf

CATEGORIES = [
    Category(0, "unknown", True),
    Category(1, "man", True, "person"),
    Category(7, "pipe", False, "tube"),
    Category(8, "pipe", True, "tube"),
    Category(9, " person_ot", True, "person"),
    Category(334, "blur", False),
]
ENTITIES = {
    "image": np.array([0, 0, 0, 1, 1, 2, 2]),
    "category_id": np.array([1, 1, 7, 1, 9, 334, 55]),
    "area": np.array([10, 20, 100, 30, 5, 35, 300]),
}


def test_categories_by_hand():
    table = category_table(CATEGORIES, occurrences([ENTITIES]))
    rows = {record["category_id"]: record for record in table.records()}
    assert [row[0] for row in table.rows] == [1, 55, 7, 334, 9, 0, 8]
    assert rows[1]["entities"] == 3 and rows[1]["images"] == 2 and rows[1]["pixels"] == 60
    assert rows[1]["entity_share"] == 3 / 7 and rows[1]["pixel_share"] == 60 / 500
    # Names repeat, and an id may have no record.
    assert (rows[7]["kind"], rows[8]["kind"], rows[55]["name"], rows[55]["kind"]) == (
        "stuff",
        "thing",
        None,
        "not said",
    )
    assert rows[8]["entities"] == 0 and rows[8]["entity_share"] == 0


def test_kinds_by_hand():
    found = {
        record["kind"]: record
        for record in kind_table(category_table(CATEGORIES, occurrences([ENTITIES]))).records()
    }
    assert [
        (name, one["categories"], one["used"], one["entities"], one["pixels"]) for name, one in found.items()
    ] == [
        ("thing", 4, 2, 4, 65),
        ("stuff", 2, 2, 2, 135),
        ("not said", 1, 1, 1, 300),
        ("unknown", 1, 0, 0, 0),
        ("blur", 1, 1, 1, 35),
        ("_ot", 1, 1, 1, 5),
    ]
    assert found["thing"]["entity_share"] == 4 / 7 and found["stuff"]["pixel_share"] == 135 / 500


def test_nothing_at_all():
    nothing = occurrences([])
    table = category_table([], nothing)
    assert table.rows == ()
    assert {record["entity_share"] for record in kind_table(table).records()} == {None}
    fits, curves = zipf_table(table)
    assert fits.find("entities") == {
        "frequency": "entities", "exponent": None, "ks": None, "slope": None, "r_squared": None, "classes": 0,
    }  # fmt: skip
    assert curves[0].x == curves[0].y == ()
    pairs = cooccurrence(nothing)
    assert len(pairs["images"]) == 0
    assert [table.rows for table in cooccurrence_tables(pairs, [])] == [(), ()]


@given(st.lists(st.integers(0, 2), min_size=7, max_size=7))
def test_occurrences_do_not_depend_on_the_batches(batch_of_image):
    chosen = np.array(batch_of_image)[ENTITIES["image"]]
    batches = [{name: column[chosen == k] for name, column in ENTITIES.items()} for k in range(3)]
    cut, whole = occurrences(batches), occurrences([ENTITIES])
    assert category_table(CATEGORIES, cut) == category_table(CATEGORIES, whole)
    np.testing.assert_array_equal(cut.together.toarray(), whole.together.toarray())
    assert cut.n_images == whole.n_images == 3


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=60))
def test_zipf_is_the_likeliest_exponent(counts):
    fit = fit_zipf(counts)
    assert fit is not None
    frequencies = np.sort(counts)[::-1]
    ranks = np.arange(1, len(counts) + 1)

    def cost(s: float) -> float:
        return float(s * (frequencies * np.log(ranks)).sum() + frequencies.sum() * np.log((ranks**-s).sum()))

    best = optimize.minimize_scalar(cost, bounds=(0, 64), method="bounded", options={"xatol": 1e-10})
    assert cost(fit.exponent) <= best.fun * (1 + 1e-12) + 1e-9
    law = ranks**-fit.exponent / (ranks**-fit.exponent).sum()
    shares = frequencies / frequencies.sum()
    assert fit.ks == pytest.approx(np.abs(np.cumsum(law) - np.cumsum(shares)).max(), abs=1e-9)
    slope, _ = np.polyfit(np.log(ranks), np.log(frequencies), 1)
    assert fit.slope == pytest.approx(-slope, abs=1e-9)


def test_zipf_of_special_counts():
    assert fit_zipf([]) is None and fit_zipf([5]) is None and fit_zipf([5, 0, 0]) is None
    alike = fit_zipf([7] * 10)
    assert alike is not None and alike.exponent < 1e-9 and alike.r_squared is None and alike.ks < 1e-9
    exact = fit_zipf(10_000_000 / np.arange(1, 200) ** 1.3)
    assert exact is not None and exact.exponent == pytest.approx(1.3) and exact.r_squared == pytest.approx(1)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from([3, 5, 8, 600])), max_size=60),
)
def test_cooccurrence_agrees_with_counting(rows):
    entities = {
        "image": np.array([image for image, _ in rows], np.int64),
        "category_id": np.array([category for _, category in rows], np.int64),
        "area": np.ones(len(rows), np.int64),
    }
    found = cooccurrence(occurrences([entities]))
    sets: dict[int, set[int]] = {}
    for image, category in rows:
        sets.setdefault(image, set()).add(category)
    expected = {}
    categories = sorted({category for _, category in rows})
    for k, a in enumerate(categories):
        for b in categories[k + 1 :]:
            both = sum({a, b} <= one for one in sets.values())
            if both:
                alone = [sum(c in one for one in sets.values()) for c in (a, b)]
                expected[a, b] = both, both * len(sets) / (alone[0] * alone[1])
    keys = list(zip(found["category_a"].tolist(), found["category_b"].tolist(), strict=True))
    assert keys == list(expected)
    for key, images, lift, pmi in zip(keys, found["images"], found["lift"], found["pmi"], strict=True):
        assert (images, lift, pmi) == pytest.approx((*expected[key], np.log2(expected[key][1])))


def test_cooccurrence_tables_are_sorted_and_leave_rare_pairs_out():
    images = np.repeat(np.arange(LEAST_IMAGES), 3)
    entities = {
        "image": np.append(images, [90, 90]),
        "category_id": np.append(np.tile([1, 7, 9], LEAST_IMAGES), [8, 0]),
        "area": np.ones(len(images) + 2, np.int64),
    }
    frequent, surprising = cooccurrence_tables(cooccurrence(occurrences([entities])), CATEGORIES)
    assert frequent.rows[0][:4] == (1, "man", 7, "pipe") and len(frequent.rows) == 4
    assert {(record["a"], record["b"]) for record in surprising.records()} == {(1, 7), (1, 9), (7, 9)}
    assert frequent.rows[-1][0] == 0 and frequent.records()[-1]["lift"] == LEAST_IMAGES + 1
