"""Results: identities between figures, comparisons that are paired or refused, reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from entityseg.benchmarks.compare import comparable, compare
from entityseg.benchmarks.harness.run import run
from entityseg.benchmarks.results import impossible, read_result, read_samples
from entityseg.benchmarks.tables import published_rows
from entityseg.benchmarks.tasks import get
from entityseg.data import load
from entityseg.errors import InputError, UsageError
from entityseg.metrics.scoring import evaluate
from entityseg.predictions import read_predictions

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def runs(mini: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs on entities: superpixels, and a noisy oracle."""
    folder = tmp_path_factory.mktemp("runs")
    task = get("mini-entity-low")
    run(task, "superpixels", folder / "a", data=mini, bootstrap=200, seed=5)
    run(task, "oracle", folder / "b", data=mini, bootstrap=200, seed=5, model_options={"noise": 0.3})
    return folder / "a", folder / "b"


def _changed(path: Path, folder: Path, **changes: Any) -> Path:
    value = json.loads((path / "result.json").read_text())
    for key, new in changes.items():
        if isinstance(value.get(key), dict):
            value[key] = {**value[key], **new}
        else:
            value[key] = new
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps(value))
    (folder / "result.samples.npz").write_bytes((path / "result.samples.npz").read_bytes())
    return folder


def test_difference_is_that_of_the_tables_own_resamples(runs: tuple[Path, Path], mini: Path) -> None:
    """The reference resamples the two tables with one seed and subtracts."""
    found = compare(*runs)
    gt = load(mini, format="entityseg-release", split="val_lr", check=False)
    drawn = []
    for one in runs:
        table, _ = evaluate(gt, read_predictions(one / "predictions.jsonl", gt))
        drawn.append(table.resample(200, 5))
    for name, one in found.differences.items():
        gap = drawn[1][name] - drawn[0][name]
        gap = gap[~np.isnan(gap)]
        if one.interval is None:
            continue
        np.testing.assert_allclose(one.interval, np.percentile(gap, [2.5, 97.5]), rtol=0, atol=1e-15)
        assert one.difference is not None and one.a is not None and one.b is not None
        assert one.difference == one.b - one.a
    back = compare(runs[1], runs[0])
    assert back.differences["AP"].difference == -(found.differences["AP"].difference or 0)
    assert back.differences["AP"].p == found.differences["AP"].p


def test_a_result_against_itself(runs: tuple[Path, Path]) -> None:
    found = compare(runs[0], runs[0])
    assert all(one.interval in (None, (0, 0)) and not one.clear for one in found.differences.values())
    assert found.differences["AP"].p == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"identity": {"ground_truth": "0" * 64}}, "the ground truths differ"),
        ({"identity": {"task": "0" * 64}}, "the record of mini-entity-low@1 is not the same"),
        ({"identity": {"evaluator": "0" * 64}}, "the evaluators differ"),
        ({"task": "mini-entity-high@1"}, "the tasks differ"),
        ({"mode": "pycocotools"}, "modes or options differ"),
        ({"options": {"overlap": "resolve"}}, "modes or options differ"),
        ({"bootstrap": {"seed": 6}}, "the resamples differ"),
    ],
)
def test_other_identities_are_refused(
    runs: tuple[Path, Path], tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        compare(runs[0], _changed(runs[1], tmp_path / "c", **changes))


def test_every_reason_is_listed_at_once(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = _changed(runs[1], tmp_path / "c", identity={"ground_truth": "0" * 64, "evaluator": "1" * 64})
    with pytest.raises(UsageError) as caught:
        compare(runs[0], other)
    assert caught.value.findings.errors == 2


def test_another_environment_only_warns(runs: tuple[Path, Path], tmp_path: Path) -> None:
    environment = {**read_result(runs[1]).identity.environment, "numpy": "9.9.9"}
    other = _changed(runs[1], tmp_path / "c", identity={"environment": environment})
    found = compare(runs[0], other)
    assert found.warnings.warnings == 1 and "numpy" in str(next(iter(found.warnings)))
    assert not comparable(read_result(runs[0]), read_result(runs[1])).errors


def test_samples_must_be_the_results_own(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = _changed(runs[1], tmp_path / "c")
    (other / "result.samples.npz").write_bytes((runs[0] / "result.samples.npz").read_bytes())
    with pytest.raises(InputError, match="those of another result"):
        compare(runs[0], other)
    (other / "result.samples.npz").unlink()
    with pytest.raises(InputError, match="not beside the result"):
        read_samples(other, read_result(other))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"AP": 0.5, "AP50": 0.4}, "AP = 0.500000 is above AP50"),
        ({"AR@10": 0.5, "AR@100": 0.4}, "AR@10 .* above AR@100"),
        ({"PQ": 0.7, "SQ": 0.6, "RQ": 0.9}, "PQ = 0.700000 is outside"),
        ({"PQ": 0.4, "SQ": 0.8, "RQ": 0.7}, "PQ = 0.400000 is outside"),
        ({"AR": 0.9, "AR_Th": 0.5, "AR_St": 0.6}, "AR = 0.900000 is not between"),
        ({"P@.6": 0.5, "P@.5": 0.4}, "P@.6"),
        ({"mIoU": 1.5}, "no fraction"),
        ({"mIoU": -0.1}, "no fraction"),
    ],
)
def test_impossible_figures(runs: tuple[Path, Path], values: dict[str, float], message: str) -> None:
    result = read_result(runs[0]).model_copy(update={"values": values})
    findings = impossible(result)
    assert findings.errors == 1
    with pytest.raises(InputError, match=message):
        findings.raise_errors()


def test_possible_figures(runs: tuple[Path, Path]) -> None:
    for values in (
        {"PQ": 0.42, "SQ": 0.8, "RQ": 0.5},
        {"PQ": 0.3, "SQ": 0.8, "RQ": 0.5},
        {"AP": 0.2, "AP50": 0.2, "AP75": 0.2},
        {"AR": 0.5, "AR_Th": None, "AR_St": 0.4},
        {"HCE": 120.0},
    ):
        assert not impossible(read_result(runs[0]).model_copy(update={"values": values}), ("HCE",)).errors


def test_counts_must_add_up(runs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="predicted and missing"):
        read_result(_changed(runs[0], tmp_path / "c", counts={"missing": 7}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": {"expected": 3, "missing": 0, "empty": 0}}, "lacks predicted"),
        ({"model": {"model": 5}}, "`model` is a text"),
        ({"model": {"model_options": [1]}}, "`model_options` an object"),
        ({"per_image": [{"AP": 0.5}]}, "no image_id"),
        ({"per_image": [{"image_id": 1, "AP": "best"}]}, "figure of image 1 is no number"),
    ],
)
def test_malformed_results_are_findings(
    runs: tuple[Path, Path], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    value = json.loads((runs[0] / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps({**value, **changes}))
    with pytest.raises(InputError, match=message):
        read_result(tmp_path)


def test_unknown_fields_are_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="result.field"):
        read_result(_changed(runs[0], tmp_path / "c", rank=1))


def test_commands(runs: tuple[Path, Path], mini: Path, tmp_path: Path, bench: Bench) -> None:
    code, out, _ = bench("list", "mini-entity")
    assert code == 0 and "mini-entity-high@1" in out
    code, out, _ = bench("show", "entityseg-entity-high")
    assert code == 0 and "CropFormer" in out and "535 things" in out
    code, out, _ = bench("show", "mini-entity-low", "--result", runs[0])
    assert code == 0 and "superpixels" in out and "yours" in out
    code, out, _ = bench("compare", *runs, "--json")
    assert code == 0 and json.loads(out)["differences"]["AP"]["interval"]
    code, out, _ = bench("compare", *runs)
    assert code == 0 and "B - A" in out
    code, out, _ = bench(
        "score", "mini-entity-low", "--pred", runs[0] / "predictions.jsonl", "--data", mini, "--bootstrap", 0,
        "--out", tmp_path / "r.json", "--json",
    )  # fmt: skip
    assert code == 0 and json.loads(out)["values"]["AP"] == read_result(runs[0]).values["AP"]
    code, _, err = bench("run", "mini-entity-low", "--model", "orcale", "--data", mini)
    assert code == 2 and "Did you mean 'oracle'" in err
    code, _, err = bench("compare", runs[0], tmp_path / "r.json")
    assert code == 2 and "the resamples differ" in err


def test_own_figures_stand_under_their_published_names(runs: tuple[Path, Path]) -> None:
    """AP of boundaries, or of masks that overlap, is not the AP^e that the papers print."""
    result = read_result(runs[0])

    def own(name: str, **options: str) -> dict[str, str]:
        header, rows = published_rows(get(name), [result.model_copy(update={"options": options})])
        return dict(zip(header, rows[-1], strict=True))

    ap = f"{100 * (result.values['AP'] or 0):.2f}"
    entity = own("entityseg-entity-high", overlap="refuse")
    assert (entity["AP"], entity["AP_overlap"], entity["protocol"]) == (ap, "-", "canonical")
    plain = own("entityseg-entity-high", overlap="allow")
    assert (plain["AP"], plain["AP_overlap"], plain["protocol"]) == ("-", ap, "canonical, overlap allow")
    boundary = own("entityseg-boundary-high")
    assert (boundary["AP"], boundary["boundary_AP"]) == ("-", ap)


def test_report_is_one_page_with_the_worst_first(
    runs: tuple[Path, Path], mini: Path, tmp_path: Path, bench: Bench
) -> None:
    page = tmp_path / "report.html"
    code, _, _ = bench("report", *runs, "--data", mini, "--out", page, "--pictures", 2)
    assert code == 0
    text = page.read_text()
    assert text.count("data:image/jpeg") == 6 and "Precision-recall" in text
    assert "<script" not in text and 'src="http' not in text
    result = read_result(runs[0])
    known = sorted((one["AP"], one["image_id"]) for one in result.per_image if one["AP"] is not None)
    assert text.index(f"AP {100 * known[0][0]:.2f}") < text.index(f"AP {100 * known[1][0]:.2f}")
    # Predictions that were changed since are not drawn as those that were scored.
    changed = tmp_path / "changed"
    run(get("mini-entity-low"), "oracle", changed, data=mini, bootstrap=0)
    (changed / "predictions.jsonl").write_bytes((runs[0] / "predictions.jsonl").read_bytes())
    code, _, err = bench("report", changed, "--data", mini, "--out", page)
    assert code == 1 and "not those of the result" in err
