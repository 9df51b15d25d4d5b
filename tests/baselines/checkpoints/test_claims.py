"""Small files that ask for much: refused before torch makes anything of them."""

from __future__ import annotations

import argparse
import struct
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from entityseg.baselines.checkpoints import archives, convert_file, read_state
from entityseg.errors import Finding, InputError
from tests.baselines.checkpoints.crafted import (
    archive,
    called,
    dict_of,
    named,
    number,
    old_file,
    storage,
    tensor,
    text,
    tuple_of,
)  # fmt: skip
from tests.baselines.checkpoints.released import PREDICTOR, made

FOUR = struct.pack("<4f", 1, 2, 3, 4)
NAME = f"{PREDICTOR}query_feat.weight"


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if torch is asked."""

    def load(*arguments: object, **options: object) -> None:
        raise AssertionError("torch was asked")

    monkeypatch.setattr(torch, "load", load)


def refused(path: Path, kind: str) -> list[Finding]:
    with pytest.raises(InputError) as error:
        read_state(path)
    found = list(error.value.findings)
    assert {finding.kind for finding in found} == {kind}
    assert all(finding.file == str(path) and finding.remedy for finding in found)
    return found


def test_crafted_files_are_read_as_torchs(tmp_path: Path) -> None:
    held = dict_of(
        {"a": tensor(storage("0", 4), (2, 2), (1, 2)), "b": tensor(storage("0", 4), (2,), (1,), 2)}
    )
    for path in (
        archive(tmp_path / "a.pth", held, {"0": FOUR}),
        old_file(
            tmp_path / "b.pth", held.replace(b"\x04\x00\x00\x00tQ", b"\x04\x00\x00\x00NtQ"), {"0": (4, FOUR)}
        ),
    ):
        found = read_state(path)
        assert found["a"].tolist() == [[1, 3], [2, 4]] and found["b"].tolist() == [3, 4]


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((10**7, 4), (0, 0), 0),
        ((10**7, 4), (0, 1), 0),
        ((10**7, 4), (4, 1), 0),
        ((4, 4), (1, 1), 0),
        ((2, 2), (4, 1), 0),
        ((4,), (1,), 1),
        ((4,), (1,), 2**61),
        ((2**31, 2**31), (0, 0), 0),
    ],
)
@pytest.mark.parametrize("old", [False, True])
def test_a_shape_that_claims_more_numbers_than_there_are(
    tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, old: bool
) -> None:
    held = dict_of({NAME: tensor(storage("0", 4, old=old), shape, strides, offset)})
    path = tmp_path / "x.pth"
    if old:
        old_file(path, held, {"0": (4, FOUR)})
    else:
        archive(path, held, {"0": FOUR})
    found = refused(path, "checkpoint.claim")
    assert [(one.record, one.value) for one in found] == [(NAME, str(shape))]


@pytest.mark.usefixtures("unread")
def test_expanded_weights_name_themselves_and_nothing_is_written(tmp_path: Path) -> None:
    """What `torch.save` writes of an expanded tensor: a number, and a shape of any size."""
    _, state = made("mask2former", "resnet")
    state[NAME] = torch.zeros(1, 1).expand(10**7, 64)
    torch.save({"model": state}, tmp_path / "x.pth")
    with pytest.raises(InputError) as error:
        convert_file(tmp_path / "x.pth", tmp_path / "out")
    assert [(one.kind, one.record) for one in error.value.findings] == [("checkpoint.claim", NAME)]
    assert [path.name for path in tmp_path.iterdir()] == ["x.pth"]


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("old", [False, True])
def test_weights_that_share_their_numbers(tmp_path: Path, old: bool) -> None:
    shared = torch.zeros(1000)
    state = {f"layers.{index}.weight": shared.view(10, 100) for index in range(30)} | {"own": torch.zeros(5)}
    path = tmp_path / "x.pth"
    torch.save({"model": state}, path, _use_new_zipfile_serialization=not old)
    found = refused(path, "checkpoint.claim")
    assert len(found) == 20 and "own" not in {one.record for one in found}
    assert "share" in found[0].message


def test_a_few_small_weights_may_share(tmp_path: Path) -> None:
    one = torch.ones(3)
    torch.save({"model": {"a": one, "b": one, "c": torch.zeros(100)}}, tmp_path / "x.pth")
    assert read_state(tmp_path / "x.pth")["b"].tolist() == [1, 1, 1]


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("count", [3, 5, 10**6, 2**60])
def test_a_storage_of_another_size_than_its_record(tmp_path: Path, count: int) -> None:
    """Mapped, torch would take the bytes that follow in the file."""
    held = dict_of({"a": tensor(storage("0", count), (3,), (1,))})
    found = refused(archive(tmp_path / "x.pth", held, {"0": FOUR}), "checkpoint.broken")
    assert found[0].record == "a/data/0"
    refused(archive(tmp_path / "y.pth", held), "checkpoint.broken")
    held = dict_of({"a": tensor(storage("0", count, old=True), (3,), (1,))})
    refused(old_file(tmp_path / "z.pth", held, {"0": (4, FOUR)}), "checkpoint.broken")


@pytest.mark.usefixtures("unread")
def test_an_old_file_that_leaves_a_storage_out(tmp_path: Path) -> None:
    """Torch would hand out memory that nobody wrote."""
    items = {
        "a": tensor(storage("0", 4, old=True), (4,), (1,)),
        "b": tensor(storage("1", 4, old=True), (4,), (1,)),
    }
    refused(old_file(tmp_path / "x.pth", dict_of(items), {"0": (4, FOUR)}), "checkpoint.broken")


@pytest.mark.usefixtures("unread")
def test_packed_archives(tmp_path: Path) -> None:
    """Mapped, torch would take packed bytes for numbers."""
    held = dict_of({"a": tensor(storage("0", 10**6), (10**6,), (1,))})
    path = archive(tmp_path / "x.pth", held, {"0": bytes(4 * 10**6)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10**4
    assert refused(path, "checkpoint.packed")[0].record == "a/data.pkl"


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    weights = torch.arange(2000.0)
    torch.save({"model": {"a": weights}}, path)
    data = bytearray(path.read_bytes())
    place = data.find(weights.numpy().tobytes()) + 777
    data[place] ^= 1
    path.write_bytes(data)
    assert not torch.equal(torch.load(path, weights_only=True)["model"]["a"], weights)
    assert "CRC" in refused(path, "checkpoint.broken")[0].message


def test_files_without_checksums_are_read(tmp_path: Path) -> None:
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"model": {"a": torch.arange(5.0)}}, tmp_path / "x.pth")
    finally:
        torch.serialization.set_crc32_options(before)
    assert read_state(tmp_path / "x.pth")["a"].tolist() == [0, 1, 2, 3, 4]


def doubled(depth: int) -> bytes:
    """Return tuples of the one before, twice: 2^depth values when written out."""
    made = b"N\x85q\x00"
    for index in range(1, depth + 1):
        made += b"0h" + bytes([index - 1]) + b"h" + bytes([index - 1]) + b"\x86q" + bytes([index])
    return made


BOMBS = {
    "key": dict_of({"a": tensor(storage("0", 4), (4,), (1,))})[:-1] + doubled(60) + b"Nu",
    "value": dict_of({"a": doubled(60)}),
    "set": dict_of({"a": called("__builtin__", "set", b"]" + doubled(60) + b"a")}),
    "counter": dict_of({"a": called("collections", "Counter", b"]" + doubled(60) + b"a")}),
    "size": dict_of({"a": called("torch", "Size", doubled(60))}),
    "forgotten": dict_of({"a": called("__builtin__", "set", b"]" + doubled(60) + b"a"), "b": b"N"})[:-1]
    + text("a") + b"Nu",
    "bytearray": dict_of({"a": called("__builtin__", "bytearray", number(10**11))}),
    "tensor": dict_of({"a": called("torch", "FloatTensor", number(10**6), number(10**6))}),
    "set of a tensor": dict_of({"a": called("__builtin__", "set", tensor(storage("0", 4), (4,), (1,)))}),
    "converted": dict_of({"a": called(
        "torch._utils", "_rebuild_device_tensor_from_cpu_tensor", tensor(storage("0", 4), (10**6, 10**6), (0, 0)),
        named("torch", "float64"), text("cpu"), b"\x89",
    )}),
    "meta": dict_of({"a": called(
        "torch._utils", "_rebuild_meta_tensor_no_storage", named("torch", "float32"), tuple_of(number(10**12)),
        tuple_of(number(1)), b"\x89",
    )}),
    "changed": dict_of({"a": tensor(storage("0", 4), (4,), (1,)) + tuple_of(
        storage("0", 4), number(0), tuple_of(number(10**9)), tuple_of(number(0))
    ) + b"b"}),
    "bytes over and over": dict_of({
        "a": text("x" * 1000) + b"q\x00" + (b"0" + called("_codecs", "encode", b"h\x00", text("latin1"))) * 60,
    }),
    "axes": dict_of({"a": tensor(storage("0", 4), (1,) * 65, (1,) * 65)}),
    "endless list": b"]q\x00h\x00a",
    "long number": dict_of({"a": b"\x8a\xff" + b"\x7f" * 255}),
    "negative stride": dict_of({"a": tensor(storage("0", 4), (4,), (-1,), 3)}),
    "negative size": dict_of({"a": tensor(storage("0", 4), (-4,), (1,))}),
    "float size": dict_of({"a": tensor(storage("0", 4), (4,), (1,)).replace(number(4), b"G" + bytes(8))}),
    "unsaid": called("torch._utils", "_rebuild_tensor_v2", storage("0", 4)),
    "no storage": called("torch._utils", "_rebuild_tensor_v2", b"N", b"N", b")", b")", b"\x89", b"N"),
}  # fmt: skip


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("name", BOMBS)
def test_pickles_that_would_keep_torch_busy(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "x.pth", BOMBS[name], {"0": FOUR})
    with pytest.raises(InputError) as error:
        read_state(path)
    assert {one.file for one in error.value.findings} == {str(path)}
    assert len(str(error.value)) < 10_000


STRANGE: dict[str, Callable[[], Any]] = {
    "sparse": lambda: torch.zeros(3).to_sparse(),
    "compressed": lambda: torch.zeros(2, 2).to_sparse_csr(),
    "quantised": lambda: torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
    "meta": lambda: torch.empty(3, device="meta"),
    "nested": lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
    "bytes": lambda: bytearray(5),
}


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.filterwarnings("ignore")
def test_what_is_no_dense_tensor(tmp_path: Path, name: str) -> None:
    strange = STRANGE[name]()
    torch.save({"model": {"a": torch.zeros(3), "b": strange}}, tmp_path / "x.pth")
    assert refused(tmp_path / "x.pth", "checkpoint.content")[0].record == "b"
    torch.save({"model": {"a": torch.zeros(3)}, "beside": strange}, tmp_path / "y.pth")
    refused(tmp_path / "y.pth", "checkpoint.content")


def test_types_are_left_to_be_judged_with_their_names(tmp_path: Path) -> None:
    types = (
        torch.float8_e4m3fn,
        torch.complex64,
        torch.uint16,
        torch.int8,
        torch.bool,
        torch.bfloat16,
        torch.float64,
    )
    state = {str(kind): torch.ones(3).to(kind) for kind in types}
    torch.save(state, tmp_path / "x.pth")
    found = read_state(tmp_path / "x.pth")
    assert {name: one.dtype for name, one in found.items()} == {str(kind): kind for kind in types}


def test_signs_and_order_that_torch_keeps_beside_the_numbers(tmp_path: Path) -> None:
    negative = torch.complex(torch.zeros(3), torch.arange(3.0)).conj().imag
    assert negative.is_neg()
    torch.save(
        {"a": negative, "b": torch.arange(6.0).view(2, 3).t(), "c": torch.zeros(0, 5)}, tmp_path / "x.pth"
    )
    found = read_state(tmp_path / "x.pth")
    assert found["a"].tolist() == [0, -1, -2] and found["b"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["c"].shape == (0, 5)


@pytest.mark.parametrize("old", [False, True])
def test_what_training_keeps_beside_the_weights(tmp_path: Path, old: bool) -> None:
    weights = {"a": torch.arange(3.0), "b": torch.ones(2, 2)}
    module = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    held = {
        "model": torch.nn.Module().state_dict() | weights,
        "optimizer": optimizer.state_dict(),
        "scheduler": schedule.state_dict(),
        "iteration": 103124,
        "ema": {"module": module.state_dict()},
        "trainer": {"best": np.float64(51.5), "seen": np.int64(3), "history": np.arange(4)},
        "args": argparse.Namespace(lr=0.1, milestones=[1, 2], nested=argparse.Namespace(a="b")),
        "generator": torch.get_rng_state(),
        "milestones": Counter([3, 5]),
        "parameter": torch.nn.Parameter(torch.zeros(2)),
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "size": torch.Size([1, 2]),
        "names": {"x", "y"},
        "raw": b"\x00\xff",
        "none": None,
        "large": 2**70,
    }
    torch.save(held, tmp_path / "x.pth", _use_new_zipfile_serialization=not old)
    found = read_state(tmp_path / "x.pth")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], one) for name, one in weights.items())


class CfgNode(dict):
    """Settings as yacs keeps them: a dict with attributes."""


def test_settings_of_yacs_beside_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    module = types.ModuleType("yacs.config")
    monkeypatch.setattr(CfgNode, "__module__", "yacs.config")
    module.CfgNode = CfgNode  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "yacs", types.ModuleType("yacs"))
    monkeypatch.setitem(sys.modules, "yacs.config", module)
    settings = CfgNode(MODEL=CfgNode(NAME="swin"))
    settings.frozen = True
    torch.save({"model": {"a": torch.ones(2)}, "config": settings}, tmp_path / "x.pth")
    monkeypatch.delitem(sys.modules, "yacs.config")
    assert read_state(tmp_path / "x.pth")["a"].tolist() == [1, 1]


def test_arrays_among_torchs_weights(tmp_path: Path) -> None:
    torch.save({"model": {"a": np.arange(3.0), "b": torch.ones(2)}}, tmp_path / "x.pth")
    found = read_state(tmp_path / "x.pth")
    assert found["a"].tolist() == [0, 1, 2] and found["b"].tolist() == [1, 1]


def test_scalars_are_no_weights(tmp_path: Path) -> None:
    torch.save({"model": {"a": np.float32(1), "b": torch.ones(2)}}, tmp_path / "x.pth")
    assert refused(tmp_path / "x.pth", "checkpoint.content")[0].record == "a"


def test_names_without_end(tmp_path: Path) -> None:
    torch.save({"model": {"a" * 10**6: torch.ones(2)}}, tmp_path / "x.pth")
    assert len(refused(tmp_path / "x.pth", "checkpoint.content")[0].record or "") == 500


def test_arrays_packed_to_nothing(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", **{"state/a": np.zeros((1000, 1000)), "state/b": np.zeros(3)})
    assert (tmp_path / "x.npz").stat().st_size < 10**5
    assert refused(tmp_path / "x.npz", "checkpoint.packed")[0].record == "state/a"
    generator = np.random.default_rng(1)
    np.savez_compressed(tmp_path / "y.npz", **{"state/a": generator.normal(size=(100, 100))})
    assert read_state(tmp_path / "y.npz")["a"].shape == (100, 100)


def test_torch_stays_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is followed twice; where torch reads something else than was described, it is refused."""
    torch.save({"model": {"a": torch.ones(2)}}, tmp_path / "x.pth")
    monkeypatch.setattr(archives, "load", lambda path, archive: {"model": {"b": torch.ones(2)}})
    assert refused(tmp_path / "x.pth", "checkpoint.broken")[0].record == "a"
