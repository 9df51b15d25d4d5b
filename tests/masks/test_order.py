"""The order of masks: a total order of scores, areas and pixels."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from entityseg.masks import from_dense, to_strings
from entityseg.masks.order import by_score, by_size
from tests.strategies import Dense, dense_stacks


@given(dense_stacks(most=6), st.data())
def test_orders(dense: Dense, data: st.DataObject) -> None:
    n = len(dense)
    scores = np.array(data.draw(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=n, max_size=n)), float)
    masks = from_dense(dense)
    keys = list(zip((-scores).tolist(), (-masks.areas).tolist(), to_strings(masks), strict=True))
    assert [keys[i] for i in by_score(masks, scores)] == sorted(keys)
    assert [keys[i][1:] for i in by_size(masks)] == sorted(key[1:] for key in keys)
    # However they are listed, the masks come out the same.
    shuffled = data.draw(st.permutations(range(n)))
    again = masks[shuffled]
    order = by_score(again, scores[shuffled])
    assert again[order] == masks[by_score(masks, scores)]
