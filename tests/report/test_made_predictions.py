import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.data.records import AnnotatedImage, Dataset, ImageRecord
from entityseg.masks import RunLengths, are_disjoint, from_dense, from_id_map
from entityseg.metrics import score
from entityseg.report.made_predictions import GOOD, POOR, Flaws, make_predictions, spoil

NONE = Flaws(waver=0, miss=0, merge=0, split=0, move=0, score_noise=0)


def test_good_beats_poor_and_neither_is_perfect(small):
    good, poor = (score(small, make_predictions(small, flaws), bootstrap=0)["AP"] for flaws in (GOOD, POOR))
    assert 0 < poor < good - 0.2 and good < 1


def test_equal_seeds_give_equal_predictions_and_an_image_does_not_depend_on_the_others(small):
    first, second = make_predictions(small, POOR, seed=3), make_predictions(small, POOR, seed=3, threads=1)
    other = make_predictions(small, POOR, seed=4)
    assert first.scores.tolist() == second.scores.tolist() != other.scores.tolist()
    alone = Dataset.build([small[2]], small.categories)
    assert make_predictions(alone, POOR, seed=3).masks(0) == first.masks(2)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.integers(0, 6))
def test_predictions_are_disjoint_and_scored_whatever_the_truth_is(seed, height, width, count):
    rng = np.random.default_rng(seed)
    truth = from_dense(rng.random((count, height, width)) < 0.4)
    masks, scores = spoil(truth, POOR, rng)
    assert masks.size == truth.size and are_disjoint(masks) and (masks.areas > 0).all()
    assert scores.shape == (len(masks),) and ((scores > 0) & (scores <= 1)).all()


def test_without_flaws_the_truth_comes_back():
    # A border may waver by the least bit, so the map is compared where nothing wavers: one mask over all.
    whole = RunLengths((30, 40), [0, 1200], [0, 2])
    masks, scores = spoil(whole, NONE, np.random.default_rng(0))
    assert masks == whole and scores.tolist() == [1.0]


@pytest.mark.parametrize(("fate", "expected"), [("miss", 0), ("split", 2)])
def test_fates_do_what_they_say(fate, expected):
    whole = RunLengths((30, 40), [0, 1200], [0, 2])
    flaws = Flaws(**{**{"waver": 0, "miss": 0, "merge": 0, "split": 0, "move": 0, "score_noise": 0}, fate: 1})
    assert len(spoil(whole, flaws, np.random.default_rng(0))[0]) == expected


def test_merging_joins_two_neighbours():
    _, halves = from_id_map(np.repeat([[1] * 5 + [2] * 5], 8, axis=0))
    flaws = Flaws(waver=0, miss=0, merge=1, split=0, move=0, score_noise=0)
    masks, _ = spoil(halves, flaws, np.random.default_rng(0))
    assert masks.areas.tolist() == [80]


def test_crowd_is_not_predicted(small):
    one = small[0]
    crowd = AnnotatedImage(
        ImageRecord(9, "x.png", *one.masks.size),
        one.masks,
        one.ids,
        one.category_ids,
        np.ones(len(one), bool),
    )
    assert len(make_predictions(Dataset.build([crowd], small.categories), GOOD).scores) == 0
