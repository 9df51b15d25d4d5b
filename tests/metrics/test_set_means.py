"""Means over datasets: the published rows of SGinW, missing sets, intervals."""

from __future__ import annotations

import numpy as np
import pytest

from entityseg.errors import InputError, UsageError
from entityseg.masks import from_dense
from entityseg.metrics.entity_ap import EntityAP
from entityseg.metrics.set_means import (
    IN_THE_WILD_FIGURE,
    IN_THE_WILD_SETS,
    SGINW_SETS,
    set_means,
    set_means_of,
)

# AP of Grounded-SAM and Grounded-HQ-SAM on each set of SGinW, from the logs of SysCV/sam-hq.
GROUNDED = {
    "Airplane-Parts": (37.18, 37.57), "Bottles": (65.39, 66.27), "Brain-Tumor": (11.91, 12.00),
    "Chicken": (84.52, 84.45), "Cows": (47.47, 47.81), "Electric-Shaver": (71.65, 72.12),
    "Elephants": (77.91, 77.50), "Fruits": (82.29, 82.29), "Garbage": (23.98, 25.00),
    "Ginger-Garlic": (45.77, 45.64), "Hand": (70.03, 74.82), "Hand-Metal": (81.22, 81.16),
    "House-Parts": (8.39, 8.52), "HouseHold-Items": (60.10, 60.10), "Nutterfly-Squireel": (71.35, 77.13),
    "Phones": (35.39, 35.25), "Poles": (23.25, 20.07), "Puppies": (50.11, 50.11), "Rail": (8.71, 7.70),
    "Salmon-Fillet": (32.95, 42.20), "Strawberry": (83.48, 85.60), "Tablets": (29.83, 29.75),
    "Toolkits": (20.85, 21.83), "Trash": (29.95, 29.97), "Watermelon": (64.24, 65.61),
}  # fmt: skip


@pytest.mark.parametrize(("column", "mean", "median"), [(0, 48.717, 47.47), (1, 49.619, 47.81)])
def test_published_rows(column: int, mean: float, median: float) -> None:
    assert set(GROUNDED) == set(SGINW_SETS) and len(SGINW_SETS) == 25
    found = set_means({name: pair[column] / 100 for name, pair in GROUNDED.items()}, SGINW_SETS)
    assert found.mean == pytest.approx(mean / 100, abs=5e-6)
    assert found.median == pytest.approx(median / 100, abs=1e-12)
    assert found.below_10 == 2 and found.missing == ()


def test_a_set_without_predictions_is_zero() -> None:
    values = dict.fromkeys(SGINW_SETS[:20], 0.5)
    found = set_means(values, SGINW_SETS)
    assert found.mean == 0.5 * 20 / 25 and found.median == 0.5
    assert found.missing == SGINW_SETS[20:] and found.values["Watermelon"] == 0.0 and found.below_10 == 5


def test_an_undefined_set_makes_the_mean_undefined() -> None:
    found = set_means({"LVIS": None, "OCID": 0.5, "CAMO++": 0.5, "FSS-1000": 0.5}, IN_THE_WILD_SETS)
    assert found.mean is None and found.median is None and found.missing == ()


def test_wrong_sets_are_all_named() -> None:
    values = {"LVIS": 0.5, "COCO": 0.1, "OCID": 50.0, "CAMO++": float("nan")}
    with pytest.raises(InputError) as raised:
        set_means(values, IN_THE_WILD_SETS)
    assert [finding.kind for finding in raised.value.findings] == ["set.unknown", "set.value", "set.value"]
    for sets in ((), ("a", "a")):
        with pytest.raises(UsageError, match=r"sets\.due"):
            set_means({}, sets)


def table(hits: int, misses: int) -> EntityAP:
    metric = EntityAP()
    mask, other = from_dense(np.array([[[1, 1, 0, 0]]], bool)), from_dense(np.array([[[0, 0, 1, 1]]], bool))
    for unit in range(hits + misses):
        metric.update(unit, mask, mask if unit < hits else other, [0.5])
    return metric


def test_intervals_resample_every_set() -> None:
    tables = {"LVIS": table(5, 5), "OCID": table(8, 0)}
    found = set_means_of(tables, ("LVIS", "OCID", "gone"), IN_THE_WILD_FIGURE, bootstrap=200, seed=1)
    assert found.mean == pytest.approx((0.5 + 1 + 0) / 3, abs=1e-15)
    interval = found.intervals["mean"]
    assert interval is not None and 1 / 3 < interval[0] < found.mean < interval[1] < 2 / 3
    # The recall of each resample is a count of ten, so ends lie between tenths of a third.
    assert found.intervals["median"] is not None and 0.1 <= found.intervals["median"][0] <= 0.3
    again = set_means_of(tables, ("LVIS", "OCID", "gone"), IN_THE_WILD_FIGURE, bootstrap=200, seed=1)
    assert again == found and found.to_json()["missing"] == ["gone"]
    assert set_means_of(tables, ("LVIS", "OCID"), IN_THE_WILD_FIGURE, bootstrap=0).intervals == {}
