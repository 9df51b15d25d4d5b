import numpy as np
import pytest

from entityseg.report.colours import entity_colours


@pytest.mark.parametrize("count", [0, 1, 133, 2000])
def test_colours_never_repeat(count):
    colours = entity_colours(count)
    assert colours.shape == (count, 3) and colours.dtype == np.uint8
    assert len({tuple(colour) for colour in colours.tolist()}) == count


def test_colours_do_not_depend_on_how_many_there_are():
    np.testing.assert_array_equal(entity_colours(500)[:40], entity_colours(40))


def test_neighbours_in_the_list_are_far_apart():
    colours = entity_colours(300).astype(float)
    steps = np.linalg.norm(np.diff(colours, axis=0), axis=1)
    assert steps.min() > 80


def test_the_first_colours_are_well_apart():
    colours = entity_colours(20).astype(float)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2) + 1000 * np.eye(20)
    assert distances.min() > 25
