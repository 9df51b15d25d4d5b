import json

import numpy as np
import pytest

from entityseg.data.formats import get_format
from entityseg.data.records import AnnotatedImage, Dataset
from entityseg.errors import UsageError
from entityseg.files import write_json
from entityseg.masks import RunLengths, to_coco
from entityseg.report.demo import MARKER, run_demo


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo") / "out", scenes=6, bootstrap=20, chapters=False)


def test_demo_with_the_mini_dataset(made):
    out = made.page.parent
    assert sorted(path.name for path in out.iterdir()) == [
        MARKER,
        "data",
        "index.html",
        "mini",
        "predictions",
    ]
    assert made.conversion.lossless and made.conversion.masks == made.dataset.n_annotations > 20
    good, poor = made.scores["good"], made.scores["poor"]
    assert good.metric == "AP^e" and good["AP"] > poor["AP"] + 0.2
    low, high = good.intervals["AP"]
    assert low <= good["AP"] <= high
    html = made.page.read_text()
    assert "Nothing was lost" in html and html.count("<figure>") > 10 and "<script" not in html
    json.dumps(made.to_json(), allow_nan=False)


def test_scores_are_those_of_the_files(made):
    from entityseg import score

    truth = made.page.parent / "mini/annotations/entity_segmentation/entityv2_010203_entity_val.json"
    again = score(truth, made.prediction_files["good"], bootstrap=0)
    assert again["AP"] == made.scores["good"]["AP"]


def test_running_again_gives_the_same_page_and_keeps_the_mini_dataset(made):
    out = made.page.parent
    before, stamp = made.page.read_bytes(), (out / "mini/scenes.json").stat().st_mtime_ns
    again = run_demo(out, scenes=6, bootstrap=20, chapters=False, threads=1)
    assert again.page.read_bytes() == before
    assert (out / "mini/scenes.json").stat().st_mtime_ns == stamp


def test_somebody_elses_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(UsageError, match="was not made by `entityseg demo`"):
        run_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
    with pytest.raises(UsageError, match="this is a file"):
        run_demo(tmp_path / "precious.txt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gt": "a.json"}, "no predictions to score"),
        ({"pred": "a.json"}, "nothing to compare them with"),
        ({"scenes": 3}, "at least 4 scenes"),
    ],
)
def test_options_that_make_no_sense(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        run_demo(tmp_path / "out", **options)


def test_own_data_with_and_without_images(on_disk, tmp_path):
    done = run_demo(tmp_path / "out", data=on_disk, bootstrap=0)
    assert done.conversion.lossless and len(done.dataset) == 3 and done.scores["good"].intervals == {}
    html = done.page.read_text()
    assert "<b>house</b>" not in html and "house" in html
    for picture in on_disk.glob("*.png"):
        picture.unlink()
    grey = run_demo(tmp_path / "grey", data=on_disk, bootstrap=0)
    assert grey.page.read_text() != html and not (tmp_path / "out" / "mini").exists()


def test_own_predictions_that_overlap_give_ap(small, on_disk, tmp_path):
    records = [
        {"image_id": one.image.id, "score": 0.5, "segmentation": {**mask, "counts": _text(mask["counts"])}}
        for one in small
        for mask in [*to_coco(one.masks), *to_coco(one.masks[:1])]
    ]
    write_json(tmp_path / "mine.json", records)
    done = run_demo(
        tmp_path / "out", gt=on_disk / "annotations.json", pred=tmp_path / "mine.json", bootstrap=0
    )
    assert list(done.scores) == ["mine"] and done.scores["mine"].metric == "AP"
    assert "“mine”" in done.page.read_text()


def _text(counts):
    return counts.decode() if isinstance(counts, bytes) else counts


def test_what_a_map_cannot_hold_is_said_and_the_rest_goes_on(small, tmp_path):
    one = small[0]
    masks = RunLengths.concatenate([one.masks, one.masks[:1]])
    again = AnnotatedImage(
        one.image,
        masks,
        np.arange(1, len(masks) + 1),
        np.ones(len(masks), np.int64),
        np.zeros(len(masks), bool),
    )
    get_format("entity").write(Dataset.build([again], small.categories), tmp_path / "overlap")
    done = run_demo(tmp_path / "out", data=tmp_path / "overlap", bootstrap=0)
    assert done.conversion.refused is not None and "Refused" in done.page.read_text()
    assert done.scores["good"]["AP"] > 0


@pytest.mark.parametrize("kept", [0, 1])
def test_a_dataset_without_masks_or_without_images(small, tmp_path, kept):
    bare = [one.select(np.zeros(len(one), bool)) for one in small][:kept]
    get_format("entity").write(Dataset.build(bare, small.categories), tmp_path / "bare")
    done = run_demo(tmp_path / "out", data=tmp_path / "bare", bootstrap=10)
    assert done.conversion.lossless and done.scores["good"]["AP"] is None and done.page.is_file()


def test_coco_panoptic_there_and_back(shared_data, tmp_path):
    done = run_demo(
        tmp_path / "out", data=shared_data / "coco_panoptic_sample/panoptic_examples.json", bootstrap=0
    )
    assert done.conversion.lossless and done.summary.crowd > 0
