"""Files that are no checkpoint: nothing in them runs, and each says what is wrong."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from entityseg.baselines.checkpoints import read_state
from entityseg.errors import InputError, MissingFileError


class Code:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def refused(path: Path, kind: str) -> str:
    with pytest.raises(InputError) as error:
        read_state(path)
    found = list(error.value.findings)
    assert {finding.kind for finding in found} == {kind}
    assert all(finding.file == str(path) for finding in found)
    return str(error.value)


@pytest.mark.parametrize("legacy", [False, True])
def test_both_forms_of_torch_are_read(tmp_path: Path, legacy: bool) -> None:
    weights = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.tensor(1.0)}
    for held in ({"model": weights, "optimizer": {"state": [1, "x"]}}, weights):
        path = tmp_path / "model.pth"
        torch.save(held, path, _use_new_zipfile_serialization=not legacy)
        found = read_state(path)
        assert found.keys() == weights.keys()
        assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_arrays_of_numpy_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, **{"state/a.weight": np.ones((2, 3), np.float32), "input/x": np.zeros(2)})
    found = read_state(path)
    assert found.keys() == {"a.weight"} and torch.equal(found["a.weight"], torch.ones(2, 3))
    np.savez(path, **{"state/a": np.array([{"an": "object"}], dtype=object)})
    refused(path, "checkpoint.broken")
    np.savez(path, x=np.zeros(2))
    refused(path, "checkpoint.empty")
    path.write_bytes(path.read_bytes()[:50])
    refused(path, "checkpoint.broken")


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "model.pth"
    held = {"model": {"a": torch.zeros(3)}, "extra": Code(tmp_path / "made")}
    torch.save(held, path, _use_new_zipfile_serialization=not legacy)
    text = refused(path, "checkpoint.code")
    assert "posix.mkdir" in text or "nt.mkdir" in text
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_are_not_read(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "R-50.pkl"
    held = {"model": {"a": np.zeros(3)}, "extra": Code(tmp_path / "made")}
    path.write_bytes(pickle.dumps(held, protocol=protocol))
    with pytest.raises(InputError) as error:
        read_state(path)
    assert {finding.kind for finding in error.value.findings} <= {"checkpoint.code", "checkpoint.broken"}
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_cut_off_anywhere(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "model.pth"
    torch.save({"model": {"a": torch.zeros(100)}}, path, _use_new_zipfile_serialization=not legacy)
    data = path.read_bytes()
    for size in (0, 1, 3, 10, len(data) // 3, len(data) // 2, len(data) - 200, len(data) - 1):
        path.write_bytes(data[:size])
        refused(path, "checkpoint.broken")


def test_damage_within(tmp_path: Path) -> None:
    """Whatever byte is changed, the answer is weights or a finding, never another error."""
    path = tmp_path / "model.pth"
    torch.save({"model": {"a": torch.zeros(4)}}, path)
    data = path.read_bytes()
    generator = np.random.default_rng(3)
    broken = 0
    for place in generator.choice(len(data), 150, replace=False):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            read_state(path)
        except InputError:
            broken += 1
    assert broken > 20


@pytest.mark.parametrize("data", [b"<html>not found</html>", b"{}", b"\x00" * 500, bytes(range(256))])
def test_files_of_other_kinds(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(data)
    refused(path, "checkpoint.broken")


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        ([torch.zeros(3)], "checkpoint.content"),
        (torch.zeros(3), "checkpoint.content"),
        ({"model": 3}, "checkpoint.content"),
        ({"model": {}}, "checkpoint.empty"),
        ({"model": {"a": "text"}}, "checkpoint.content"),
        ({"model": {1: torch.zeros(3)}}, "checkpoint.content"),
        ({"model": {"a": torch.zeros(3).to_sparse()}}, "checkpoint.content"),
    ],
)
def test_checkpoints_without_weights(tmp_path: Path, held: Any, kind: str) -> None:
    path = tmp_path / "model.pth"
    torch.save(held, path)
    refused(path, kind)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_state(tmp_path / "nothing.pth")
    refused(tmp_path, "file.folder")


ARRAYS = {
    "float32": np.arange(6, dtype=np.float32).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big": np.arange(3, dtype=">f8"),
    "half": np.ones(2, np.float16),
    "index": np.arange(4),
    "small": np.arange(4, dtype=np.int8),
    "switch": np.array([True, False]),
    "one": np.array(2.5),
    "none": np.zeros((0, 3), np.float32),
    "part": np.arange(20.0)[2:18:3],
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("key", ["model", None])
def test_pickles_of_arrays_are_read(tmp_path: Path, protocol: int, key: str | None) -> None:
    """What detectron2's zoo is made of, and nothing else."""
    path = tmp_path / "model.pkl"
    beside = {"__author__": "third_party", "matching_heuristics": True, "best": np.float64(3)}
    held = {key: ARRAYS, **beside} if key else ARRAYS
    path.write_bytes(pickle.dumps(held, protocol=protocol))
    found = read_state(path)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].shape == array.shape
        assert found[name].dtype == torch.from_numpy(array.astype(array.dtype.newbyteorder("="))).dtype
        assert found[name].tolist() == array.tolist()


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.array(["a"]), "checkpoint.broken"),
        (np.array([{"an": "object"}], dtype=object), "checkpoint.broken"),
        (np.zeros(2, dtype=[("a", "f4")]), "checkpoint.broken"),
        (np.zeros(2, dtype=np.complex64), "checkpoint.broken"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "checkpoint.broken"),
        (np.float32(1), "checkpoint.content"),
        (np.ma.array([1.0]), "checkpoint.code"),
    ],
    ids=["text", "object", "fields", "complex", "dates", "scalar", "masked"],
)
def test_arrays_of_other_types(tmp_path: Path, array: Any, kind: str) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"model": {"a": array}}, protocol=4))
    refused(path, kind)


def test_arrays_that_are_cut_or_claim_more(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    data = pickle.dumps({"model": {"a": np.arange(100.0)}}, protocol=4)
    for size in (1, 2, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        refused(path, "checkpoint.broken")
    # The shape (100,) becomes (101,), and (200,).
    at = data.index(b"Kd\x85")
    for count in (101, 200):
        path.write_bytes(data[: at + 1] + bytes([count]) + data[at + 2 :])
        assert "800 bytes" in refused(path, "checkpoint.broken")
