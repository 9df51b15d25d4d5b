from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from entityseg.data.records import AnnotatedImage, ImageRecord
from entityseg.errors import UsageError
from entityseg.masks import from_dense
from entityseg.stats.dataset.choices import DatasetChoices
from entityseg.stats.dataset.image import AVERAGED, measure_image, subset_of
from entityseg.stats.dataset.spatial import CELLS, UNIT, cell_pixels, locate
from entityseg.stats.shape import SHAPE_COLUMNS, shapes
from tests.strategies import dense_stacks


def annotated(dense: np.ndarray, crowd: np.ndarray | None = None) -> AnnotatedImage:
    n, height, width = dense.shape
    masks = from_dense(dense)
    iscrowd = np.zeros(n, bool) if crowd is None else crowd
    return AnnotatedImage(
        ImageRecord(1, "a.png", height, width), masks, np.arange(n), np.ones(n, np.int64), iscrowd
    )


def test_counts_by_hand(tiny):
    first, second, third = (measure_image(one, tiny.category_of, index=k) for k, one in enumerate(tiny))
    row = first.image
    assert (row["width"], row["height"], row["source"], row["subset"]) == (4, 2, "Pixabay", "entity_01_3")
    assert (row["annotations"], row["entities"], row["things"], row["stuff"]) == (3, 3, 1, 2)
    assert (row["covered"], row["overlap"], row["overlapping_pairs"]) == (6, 0, 0)
    row = second.image
    assert (row["annotations"], row["entities"], row["things"], row["stuff"]) == (5, 3, 2, 0)
    assert (row["crowd"], row["empty"]) == (1, 1)
    # 4 + 2 + 1 pixels of entities, two pixels shared, and 4 of the crowd.
    assert (row["covered"], row["overlap"], row["overlapping_pairs"]) == (11, 2, 1)
    assert second.entities["counted"].tolist() == [True, True, True, False, False]
    assert second.entities["area"].tolist() == [4, 4, 1, 4, 0]
    assert second.entities["relative_area"].tolist() == [0.25, 0.25, 0.0625, 0.25, 0.0]
    assert second.entities["centroid_x"][:2].tolist() == [2.0, 3.0]
    assert second.entities["centroid_y"][:2].tolist() == [0.5, 1.0]
    assert np.isnan(second.entities["centroid_x"][4])
    row = third.image
    assert (row["entities"], row["covered"], row["convexity_count"]) == (0, 0, 0)
    assert row["convexity_mean"] is None and row["source"] is None and row["subset"] == "entity_02_1"
    assert all(len(column) == 0 for column in third.entities.values())


def test_means_are_those_of_the_entities_with_a_value(tiny):
    found = measure_image(tiny[1], tiny.category_of)
    counted = found.entities["counted"]
    for name in AVERAGED:
        values = found.entities[name][counted].astype(float)
        defined = values[~np.isnan(values)]
        assert found.image[f"{name}_count"] == len(defined)
        assert found.image[f"{name}_mean"] == pytest.approx(defined.mean())
    assert found.image["convexity_mean"] == 1.0
    assert set(SHAPE_COLUMNS) <= set(found.entities)


@pytest.mark.parametrize(
    ("choices", "entities", "covered"),
    [
        (DatasetChoices(crowd="covers"), 3, 11),
        (DatasetChoices(crowd="ignored"), 3, 7),
        (DatasetChoices(crowd="entity"), 4, 11),
    ],
)
def test_crowd(tiny, choices, entities, covered):
    row = measure_image(tiny[1], tiny.category_of, choices).image
    assert (row["entities"], row["covered"], row["overlap"], row["crowd"]) == (entities, covered, 2, 1)


def test_stuff_joined_and_cut(tiny, make_image):
    joined = measure_image(tiny[0], tiny.category_of, DatasetChoices(stuff="joined"))
    assert joined.image["entities"] == 2 and joined.image["annotations"] == 3
    assert joined.entities["area"].tolist() == [4, 2]
    assert joined.entities["annotations"].tolist() == [1, 2]
    assert joined.entities["annotation_id"].tolist() == [10, 11]
    # A sky in two parts and a cat in two parts: only stuff is cut.
    one = make_image(7, ["#..#/#..#", ".##./...."], [2, 1])
    cut = measure_image(one, tiny.category_of, DatasetChoices(stuff="parts"))
    assert (cut.image["entities"], cut.image["annotations"]) == (3, 2)
    assert cut.entities["area"].tolist() == [2, 2, 2] and cut.entities["annotation_id"].tolist() == [
        70,
        70,
        71,
    ]
    swapped = make_image(7, ["#..#/#..#", ".##./...."], [1, 2])
    cut = measure_image(swapped, tiny.category_of, DatasetChoices(stuff="parts"))
    assert cut.entities["area"].tolist() == [4, 2]
    # Crowds stay as they are.
    crowd = make_image(7, ["#..#/#..#", ".##./....", "..../..#."], [2, 2, 2], crowd=(0,))
    joined = measure_image(crowd, tiny.category_of, DatasetChoices(stuff="joined"))
    assert joined.entities["area"].tolist() == [4, 3] and joined.entities["iscrowd"].tolist() == [True, False]
    cut = measure_image(crowd, tiny.category_of, DatasetChoices(stuff="parts"))
    assert cut.entities["area"].tolist() == [4, 2, 1]


def test_stuff_of_an_empty_mask_stays_one_row(tiny, make_image):
    one = make_image(7, ["..../....", "#.#./...."], [2, 2])
    cut = measure_image(one, tiny.category_of, DatasetChoices(stuff="parts"))
    assert cut.entities["area"].tolist() == [0, 1, 1] and cut.image["empty"] == 1
    joined = measure_image(one, tiny.category_of, DatasetChoices(stuff="joined"))
    assert joined.entities["area"].tolist() == [2] and joined.image["empty"] == 0


def test_unknown_choices_are_refused():
    with pytest.raises(UsageError, match="annotated, joined, parts"):
        DatasetChoices(stuff="glued")  # type: ignore[arg-type]


@given(dense_stacks(most=5, max_side=20))
def test_agrees_with_pixels(dense):
    rng = np.random.default_rng(dense.sum())
    crowd = rng.random(len(dense)) < 0.2
    found = measure_image(annotated(dense, crowd), {})
    counted = dense.any(axis=(1, 2)) & ~crowd
    depth = dense[counted].sum(axis=0)
    assert found.image["covered"] == dense.any(axis=0).sum()
    assert found.image["overlap"] == depth.sum() - (depth > 0).sum()
    together = [(a & b).any() for i, a in enumerate(dense[counted]) for b in dense[counted][:i]]
    assert found.image["overlapping_pairs"] == sum(together)
    measured = shapes(from_dense(dense))
    for name in SHAPE_COLUMNS:
        np.testing.assert_array_equal(found.entities[name], measured[name])


@given(dense_stacks(least=1, most=4, max_side=40))
def test_places_agree_with_pixels(dense):
    found = locate(from_dense(dense))
    height, width = dense.shape[1:]
    rows, columns = np.arange(height) * CELLS // height, np.arange(width) * CELLS // width
    for k, mask in enumerate(dense):
        y, x = np.nonzero(mask)
        expected = np.zeros((CELLS, CELLS), int)
        np.add.at(expected, (rows[y], columns[x]), 1)
        np.testing.assert_array_equal(found.counts[k], expected)
        if len(x):
            np.testing.assert_allclose(found.centroids[k], [x.mean() + 0.5, y.mean() + 0.5])
        else:
            assert np.isnan(found.centroids[k]).all()
    assert cell_pixels((height, width)).sum() == height * width


def test_density_of_a_full_and_a_half_image():
    dense = np.zeros((2, 32, 48), bool)
    dense[0, :, :24], dense[1, :16, 24:] = True, True
    found = measure_image(annotated(dense), {}, by_class=True)
    cover, touching, centroids, images = found.density
    assert (cover[:, :8] == UNIT).all() and (cover[:8, 8:] == UNIT).all() and (cover[8:, 8:] == 0).all()
    np.testing.assert_array_equal(touching, (cover > 0).astype(int))
    assert centroids.sum() == 2 and centroids[8, 4] == 1 and centroids[4, 12] == 1
    assert (images == 1).all()
    np.testing.assert_array_equal(found.class_density[1], cover)


def test_cells_without_pixels_of_a_small_image():
    found = measure_image(annotated(np.ones((1, 3, 5), bool)), {})
    assert (found.density[3].sum(), found.density[0].sum()) == (15, 15 * UNIT)


def test_positions_near_the_limit():
    """Columns of 65,535 pixels: sums of rows and columns need 64 bits."""
    from entityseg.masks import RunLengths

    side = 65_535
    masks = RunLengths((side, side), [0, side * side], [0, 2])
    found = locate(masks)
    assert found.counts.sum() == side * side
    np.testing.assert_allclose(found.centroids, [[side / 2, side / 2]])


def test_digest_tells_content_and_nothing_else(tiny):
    one = tiny[0]
    digest = measure_image(one, tiny.category_of).digest
    from dataclasses import replace

    assert measure_image(replace(one, ids=one.ids + 5), {}).digest == digest
    assert measure_image(one, {}, DatasetChoices(stuff="joined")).digest == digest
    assert measure_image(replace(one, category_ids=one.category_ids + 1), {}).digest != digest
    assert measure_image(replace(one, iscrowd=~one.iscrowd), {}).digest != digest
    assert measure_image(one.select(np.array([1, 0, 2])), {}).digest != digest


def test_subset_of_windows_paths_and_deep_folders():
    assert subset_of(ImageRecord(1, "x\\entity_03_10049\\a.jpg", 1, 1)) == "entity_03_10049"
    assert subset_of(ImageRecord(1, "train2017/a.jpg", 1, 1)) == "train2017"
    # From the root, it still has a first folder.
    assert subset_of(ImageRecord(1, "/data/a.jpg", 1, 1)) == "data"
    assert subset_of(ImageRecord(1, "/a.jpg", 1, 1)) is None
