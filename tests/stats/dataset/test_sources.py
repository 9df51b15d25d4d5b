"""Where images come from, as a file of sources says it in whatever arrangement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from entityseg.data.formats import get_format
from entityseg.data.records import Dataset, ImageRecord
from entityseg.errors import InputError, MissingFileError, UsageError
from entityseg.stats import compute
from entityseg.stats.dataset.compute import open_dataset
from entityseg.stats.dataset.sources import Sources, read_sources, source_of

FILES = {"entity_01_3/1.png": "Pixabay", "entity_01_3/2.png": "COCO", "entity_02_1/c.png": "Unsplash"}
LIST = [{"file_name": file, "img_source": source, "url_image": "u"} for file, source in FILES.items()]


def sources(path: Path, content: Any) -> Sources:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_sources(path)


@pytest.mark.parametrize(
    "content",
    [
        LIST,
        {"images": LIST},
        {"train": LIST[:1], "val": LIST[1:]},
        {"info": {"version": "1"}, "images": LIST},
        {file: {"img_source": source} for file, source in FILES.items()},
        {file.split("/")[1]: {"url_dataset": source} for file, source in FILES.items()},
        {"train": {file.replace("/", "\\"): {"source": source} for file, source in FILES.items()}},
        [{"id": k, "img_source": source} for k, source in enumerate(FILES.values(), 1)],
        {str(k): {"img_source": source} for k, source in enumerate(FILES.values(), 1)},
        {"x": LIST[0], "y": LIST},
        [
            {"file_name": file, "id": 1, "img_source": "", "url_dataset": source}
            for file, source in FILES.items()
        ],
    ],
)
def test_every_arrangement(tmp_path: Path, content: Any) -> None:
    found = sources(tmp_path / "url.json", content)
    images = [ImageRecord(k, file, 1, 1) for k, file in enumerate(FILES, 1)]
    assert [found.of(one) for one in images] == list(FILES.values())
    assert not found.findings.errors and not found.findings.warnings
    assert found.of(ImageRecord(9, "other.png", 1, 1)) is None


def test_a_bare_name_is_found_unless_two_images_have_it(tmp_path: Path) -> None:
    records = {
        "a/1.png": {"source": "A"},
        "b/1.png": {"source": "B"},
        "a/2.png": {"source": "A"},
        "b/2.png": {"source": "A"},
    }
    found = sources(tmp_path / "url.json", records)
    names = ["1.png", "b/1.png", "2.png", "elsewhere/2.png"]
    assert [found.of(ImageRecord(1, name, 1, 1)) for name in names] == [None, "B", "A", "A"]


def test_what_is_wrong_is_said_and_the_rest_is_kept(tmp_path: Path) -> None:
    found = sources(
        tmp_path / "url.json",
        [
            {"file_name": "a.png", "img_source": "A"},
            {"file_name": "a.png", "img_source": "B"},
            {"file_name": "b.png", "img_source": 7},
            {"file_name": 3, "img_source": "C"},
            {"img_source": "D"},
            {"file_name": "c.png", "img_source": "C"},
        ],
    )
    assert [finding.kind for finding in found.findings] == [
        "sources.twice", "sources.none", "sources.image", "sources.image",
    ]  # fmt: skip
    assert found.findings.lines()[0].startswith(f"warning: {tmp_path}/url.json: [1]: another record")
    assert [found.of(ImageRecord(1, f"{name}.png", 1, 1)) for name in "abc"] == [None, None, "C"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [("[1, 2", "json"), ("7", "sources.layout"), ("[]", "sources.layout"), ('{"a": {"b": "c"}}', "sources.layout"),
     ("[" * 5000, "json"), ('[[[[[{"id": 1, "source": "A"}]]]]]', "sources.layout")],
)  # fmt: skip
def test_no_records_at_all(tmp_path: Path, content: str, kind: str) -> None:
    with pytest.raises(InputError) as caught:
        sources(tmp_path / "url.json", content)
    assert [finding.kind.startswith(kind) for finding in caught.value.findings] == [True]


@pytest.fixture
def bare(tiny: Dataset, tmp_path: Path) -> Path:
    """The annotations of three images in `set/annotations`; the first one's record names a source itself."""
    images = []
    for number, one in enumerate(tiny):
        record = ImageRecord(
            one.image.id, one.image.file_name, *one.image.size, {"img_source": "own"} if not number else {}
        )
        images.append(type(one)(record, one.masks, one.ids, one.category_ids, one.iscrowd))
    file = tmp_path / "set" / "annotations" / "val.json"
    get_format("entity").write(Dataset.build(images, tiny.categories), file)
    return file


@pytest.mark.parametrize("place", ["set/annotations/url.json", "set/url.json", "url.json", "mine.json"])
def test_the_file_is_found_by_itself_or_named(bare: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / place).write_text(json.dumps(LIST[:2]))
    named = tmp_path / place if place == "mine.json" else None
    data = open_dataset(bare, sources=named).dataset
    assert [source_of(image) for image in data.images] == ["own", "COCO", None]
    assert [finding.kind for finding in data.warnings] == ["sources.unknown"]
    found = compute(bare, tmp_path / "out", sources=named)
    assert found.tables["sources"].rows == (("not said", 1, 1 / 3), ("COCO", 1, 1 / 3), ("own", 1, 1 / 3))


def test_other_sources_are_another_job_of_the_same_dataset(bare: Path, tmp_path: Path) -> None:
    without = compute(bare, tmp_path / "out")
    assert without.tables["sources"].rows == (("not said", 2, 2 / 3), ("own", 1, 1 / 3))
    bare.with_name("url.json").write_text(json.dumps(LIST))
    with pytest.raises(UsageError, match="records_sha256 differ"):
        compute(bare, tmp_path / "out")
    found = compute(bare, tmp_path / "out", overwrite=True)
    assert found.identity.digest == without.identity.digest


def test_a_broken_file_stands_in_the_way_only_if_it_was_asked_for(bare: Path) -> None:
    broken = bare.with_name("url.json")
    broken.write_text("{")
    data = open_dataset(bare).dataset
    assert [(finding.file, finding.severity) for finding in data.warnings] == [(str(broken), "warning")]
    with pytest.raises(InputError):
        open_dataset(bare, sources=broken)
    with pytest.raises(MissingFileError):
        open_dataset(bare, sources=bare.with_name("none.json"))
