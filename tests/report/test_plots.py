import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from entityseg.metrics.result import Counts, Score
from entityseg.report import plots


def a_score(ap, interval=None):
    values = {"AP": ap, "AP50": 0.9, "AP75": None, "AR@100": 0.4}
    intervals = (
        {} if interval is None else {"AP": interval, "AP50": (0.8, 1.0), "AP75": None, "AR@100": (0.3, 0.5)}
    )
    return Score("AP^e", "canonical", values, intervals, Counts(1, 1, 0, 0))


CURVES = np.linspace(1, 0, 10)[:, None] * np.linspace(1, 0, 101)[None, :]
FIGURES = {
    "pr": lambda: plots.pr_curves(CURVES),
    "iou": lambda: plots.ap_by_iou({"a < b & $c$": CURVES, "d": CURVES / 2}),
    "bars": lambda: plots.score_bars({"good": a_score(0.7, (0.6, 0.8)), "poor": a_score(0.1)}),
    "counts": lambda: plots.entities_per_image(np.array([3, 4, 4, 120])),
    "no counts": lambda: plots.entities_per_image(np.empty(0, np.int64)),
    "sizes": lambda: plots.entity_sizes(np.array([1e-6, 0.1, 1.0, 0.0])),
    "one size": lambda: plots.entity_sizes(np.array([1.0])),
    "no sizes": lambda: plots.entity_sizes(np.empty(0)),
    "images": lambda: plots.image_sizes(np.array([100, 4000]), np.array([50, 3000])),
    "no images": lambda: plots.image_sizes(np.empty(0, np.int64), np.empty(0, np.int64)),
    "categories": lambda: plots.category_counts({"sky": 4, "<script>": 9, "a" * 60: 2, "天空": 1}),
    "no categories": lambda: plots.category_counts({}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_svg_is_whole_and_the_same_each_time(name):
    first, second = (plots.to_svg(FIGURES[name](), "f1") for _ in range(2))
    assert first == second
    root = ElementTree.fromstring(first)
    assert root.tag.endswith("svg") and "viewBox" in root.attrib and "width" not in root.attrib
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert ids and all(one.startswith("f1-") for one in ids) and len(ids) == len(set(ids))
    assert "<metadata" not in first and "var(--ink)" in first and plots._INK not in first


def test_svg_holds_names_as_text():
    root = ElementTree.fromstring(plots.to_svg(FIGURES["iou"](), "x"))
    texts = {"".join(element.itertext()).strip() for element in root.iter() if element.tag.endswith("text")}
    assert "a < b & $c$" in texts


def test_bars_show_values_and_what_is_undefined():
    root = ElementTree.fromstring(plots.to_svg(FIGURES["bars"](), "x"))
    texts = ["".join(element.itertext()).strip() for element in root.iter() if element.tag.endswith("text")]
    assert "70.0" in texts and "10.0" in texts and texts.count("–") == 2  # noqa: RUF001


def test_png_is_the_same_each_time():
    first, second = (plots.to_png(FIGURES["pr"](), dpi=50) for _ in range(2))
    assert first == second and first.startswith(b"\x89PNG")


def test_the_users_own_style_has_no_say():
    import matplotlib as mpl

    want = plots.to_svg(FIGURES["counts"](), "x")
    with mpl.rc_context({"font.size": 30, "axes.grid": False, "svg.fonttype": "path"}):
        assert plots.to_svg(FIGURES["counts"](), "x") == want
