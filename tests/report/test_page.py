import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from entityseg.errors import UsageError
from entityseg.metrics.result import Counts, Score
from entityseg.report import plots
from entityseg.report.page import (
    Gallery,
    Page,
    Picture,
    Section,
    Table,
    percent,
    render,
    score_table,
    write_page,
)

EVIL = '<script>alert("1")</script>'
VOID = {"meta", "img", "br", "hr", "input", "link"}


class Reader(HTMLParser):
    """Notes all tags and their attributes, and that every tag is closed in order."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def a_page(text="plain"):
    picture = Picture.of_image(Image.new("RGB", (40, 30), (1, 2, 3)), text, text)
    plot = Picture.of_plot(plots.entities_per_image(np.array([1, 2])), "f", text, text)
    section = Section(
        text, [text], verdict=text, lines=[text], table=Table([text, "b"], [[text, "1"]], text),
        key=[("rgb(1, 2, 3)", text)], galleries=[Gallery([picture, plot], 2, text)],
    )  # fmt: skip
    return Page(text, text, [(text, text)], [section], text)


def parsed(page):
    reader = Reader()
    reader.feed(render(page))
    assert reader.open == []
    return reader


def test_all_text_is_escaped():
    reader = parsed(a_page(EVIL))
    assert not [tag for tag, _ in reader.tags if tag == "script"]
    assert "".join(reader.text).count(EVIL) >= 10


def test_nothing_is_requested_and_nothing_runs():
    reader = parsed(a_page())
    for tag, attributes in reader.tags:
        assert tag not in {"script", "link", "iframe", "object", "base"}
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href"):
            if attributes.get(name):
                assert attributes[name].startswith(("data:image/", "#")), (tag, attributes[name])
    style = render(a_page())
    assert not re.search(r"@import|url\((?!#)", style)
    policy = next(attributes["content"] for tag, attributes in reader.tags if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'")


def test_page_is_for_phones_and_for_both_schemes():
    html = render(a_page())
    assert 'name="viewport"' in html and "prefers-color-scheme: dark" in html


def test_every_link_of_the_navigation_has_its_section():
    reader = parsed(a_page("Conversion there & back"))
    ids = {attributes.get("id") for _, attributes in reader.tags}
    links = [attributes["href"] for tag, attributes in reader.tags if tag == "a"]
    assert links == ["#conversion-there-back"] and links[0][1:] in ids


def test_page_is_the_same_each_time(tmp_path):
    for name in ("a.html", "b.html"):
        write_page(tmp_path / name, a_page())
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_page_replaces_pages_only(tmp_path):
    (tmp_path / "val.json").write_text("{}")
    for path in (tmp_path / "val.json", tmp_path):
        with pytest.raises(UsageError, match=r"target\."):
            write_page(path, a_page())
    assert (tmp_path / "val.json").read_text() == "{}"
    write_page(tmp_path / "a.html", a_page("One"))
    write_page(tmp_path / "a.html", a_page("Two"))
    assert "Two" in (tmp_path / "a.html").read_text()


def test_score_table_has_intervals_and_dashes():
    counts = Counts(1, 1, 0, 0)
    score = Score("AP^e", "canonical", {"AP": 0.5, "APs": None}, {"AP": (0.25, 0.75), "APs": None}, counts)
    table = score_table({"mine": score}, ["AP", "APs"])
    assert list(table.columns) == ["predictions", "AP^e", "APs"]
    row = table.cells[0]
    assert [cell.text for cell in row] == ["mine", "50.0", "–"]  # noqa: RUF001
    assert [cell.note for cell in row] == ["", "25.0–75.0", ""]  # noqa: RUF001
    assert percent(1.0) == "100.0"
