import numpy as np
import pytest

from entityseg.data.records import AnnotatedImage, Category, Dataset, ImageRecord
from entityseg.masks import from_dense
from entityseg.report.summary import license_of, summarise


@pytest.fixture
def tiny():
    """Two images: one with an overlap and a crowd, one without masks."""
    dense = np.zeros((3, 10, 10), bool)
    dense[0, :5] = True
    dense[1, 4:6] = True
    dense[2, 9:] = True
    image = AnnotatedImage(
        ImageRecord(1, "a.png", 10, 10), from_dense(dense), np.array([1, 2, 3]), np.array([7, 8, 7]),
        np.array([False, False, True]),
    )  # fmt: skip
    nothing = np.empty(0, np.int64)
    empty = AnnotatedImage(
        ImageRecord(2, "b.png", 4, 20),
        from_dense(np.zeros((0, 4, 20), bool)),
        nothing,
        nothing,
        nothing.astype(bool),
    )
    return Dataset.build([image, empty], [Category(7, "pipe", True), Category(8, "pipe", False)])


def test_figures_by_hand(tiny):
    summary = summarise(tiny)
    assert summary.counts.tolist() == [2, 0] and summary.areas.tolist() == [50, 20]
    assert summary.shares.tolist() == [0.5, 0.2] and summary.coverage.tolist() == [0.7, 0.0]
    assert (summary.overlapping, summary.crowd, summary.things, summary.stuff) == (1, 1, 1, 1)
    assert summary.by_name(tiny) == {"pipe (7)": 1, "pipe (8)": 1}
    figures = summary.to_json()
    assert figures["masks_per_image"] == {"min": 0, "mean": 1.0, "median": 1.0, "max": 2}
    assert figures["annotations"] == 3 and figures["empty_images"] == 1 and figures["license"] is None


def test_an_empty_dataset_has_no_means():
    figures = summarise(Dataset.build([], [])).to_json()
    assert figures["images"] == 0 and figures["masks_per_image"] is None and figures["coverage"] is None


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({}, None),
        ({"licenses": [{"name": "CC BY"}, {"name": "CC BY"}, {"name": "CC0"}]}, "CC BY; CC0"),
        ({"licenses": "none", "info": {"license": "CC0-1.0"}}, "CC0-1.0"),
        ({"licenses": [3], "license": "mine"}, "mine"),
    ],
)
def test_licence_as_the_file_says_it(info, expected):
    assert license_of(Dataset.build([], [], info=info)) == expected
