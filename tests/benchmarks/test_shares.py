"""Several processes on one run: shares, locks that end with their process, and the same bytes in the end."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entityseg.benchmarks.harness.run import predict, run
from entityseg.benchmarks.harness.shares import LOCKS, WHOLE, Share, taken
from entityseg.benchmarks.tasks import get
from entityseg.errors import UsageError

HERE = Path(__file__).parent
shares = st.integers(1, 6).flatmap(lambda n: st.builds(Share, st.integers(1, n), st.just(n)))


@given(shares, shares, st.integers(0, 30))
def test_overlaps_are_common_shards(one: Share, other: Share, shards: int) -> None:
    common = set(one.of_all(range(shards))) & set(other.of_all(range(shards)))
    assert one.overlaps(other) == other.overlaps(one)
    assert one.overlaps(other) or not common
    if shards >= one.of * other.of:
        assert one.overlaps(other) == bool(common)


@given(st.integers(1, 6), st.integers(0, 30))
def test_shares_are_a_partition(n: int, shards: int) -> None:
    parts = [Share(i, n).of_all(range(shards)) for i in range(1, n + 1)]
    assert sorted(itertools.chain(*parts)) == list(range(shards))


@pytest.mark.parametrize("text", ["", "2", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2", "1.5/2", " 1/2"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(UsageError, match="no share"):
        Share.parse(text)


@pytest.mark.parametrize("name", ["mini-entity-low", "mini-png-given-phrases", "mini-vipseg", "mini-sginw"])
def test_shares_in_any_order_then_a_run(name: str, mini: Path, tmp_path: Path) -> None:
    task, arguments = get(name), {"data": mini, "shard_size": 1, "model_options": {"noise": 0.4}}
    calm = run(task, "oracle", tmp_path / "calm", bootstrap=5, **arguments)
    out = tmp_path / "run"
    due = []
    for number in (3, 1):
        done = predict(task, "oracle", out, Share(number, 3), **arguments)
        assert not list(out.rglob("result.json")) and not list(out.rglob("manifest.json"))
        due.append(done.due)
    again = predict(task, "oracle", out, Share(1, 3), **arguments)
    assert again.predicted == 0 and again.due == due[-1] > 0
    last = run(task, "oracle", out, bootstrap=5, **arguments)
    assert last.predicted == due[-1] and last.reused == calm.predicted - due[-1]
    assert last.result == calm.result
    for file in ("result.json", "result.samples.npz", "manifest.json"):
        assert (out / file).read_bytes() == (tmp_path / "calm" / file).read_bytes()


@contextmanager
def working(mini: Path, out: Path, tmp_path: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that is in the middle of a shard until `tmp_path / go` is there."""
    says = tmp_path / f"says{len(list(tmp_path.glob('says*')))}"
    process = start(mini, out, tmp_path / "go", says, *more)
    try:
        begin = time.monotonic()
        while not says.exists():
            assert process.poll() is None and time.monotonic() - begin < 120
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.communicate()


def start(mini: Path, out: Path, go: Path, says: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "entityseg.cli.main", "bench", "run", "mini-fss-wild", "--data", mini, "--out", out,
        "--shard-size", 2, "--bootstrap", 0, "--model", "models:Waiting", "--option", f'until="{go}"',
        "--option", f'says="{says}"', *more,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    return subprocess.Popen(
        list(map(str, command)), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def nothing(holders: object) -> None:
    """Claim nothing."""


def test_who_is_at_work_is_said_and_the_dead_are_not(mini: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with working(mini, out, tmp_path, "--shard", "1/2") as process:
        for share in (WHOLE, Share(1, 2), Share(3, 4)):
            with (
                pytest.raises(UsageError, match=rf"process {process.pid} on .* the share 1/2"),
                taken(out, share, nothing),
            ):
                pass
        with taken(out, Share(2, 2), nothing):
            pass
        task, options = get("mini-fss-wild"), {"data": mini, "shard_size": 2}
        with pytest.raises(UsageError, match="holds another run"):
            predict(task, "superpixels", out, Share(2, 2), **options)
        with pytest.raises(UsageError, match=rf"It is at work \(process {process.pid}"):
            predict(task, "superpixels", out, Share(2, 2), overwrite=True, **options)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with taken(out, WHOLE, nothing):
            held = [path.name for path in (out / LOCKS).glob("*.held")]
            assert held == ["1-of-1.held"]
    assert not list((out / LOCKS).glob("*.held"))
    assert run(task, "superpixels", out, overwrite=True, bootstrap=0, **options).reused == 0


def test_two_at_once_one_of_them_is_refused(mini: Path, tmp_path: Path) -> None:
    out, go = tmp_path / "run", tmp_path / "go"
    says = tmp_path / "says"
    both = [start(mini, out, go, says) for _ in range(2)]
    begin = time.monotonic()
    while all(one.poll() is None for one in both):
        assert time.monotonic() - begin < 120
        time.sleep(0.05)
    (refused,) = [one for one in both if one.poll() is not None]
    (going,) = [one for one in both if one is not refused]
    _, err = refused.communicate()
    assert refused.returncode == 2 and f"process {going.pid}".encode() in err
    go.touch()
    _, err = going.communicate(timeout=120)
    assert going.returncode == 0, err
    assert (out / "result.json").is_file()


def test_two_shares_at_once(mini: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    (tmp_path / "go").touch()
    says = tmp_path / "says"
    both = [start(mini, out, tmp_path / "go", says, "--shard", f"{i}/2") for i in (1, 2)]
    for one in both:
        _, err = one.communicate(timeout=120)
        assert one.returncode == 0, err
    last = start(mini, out, tmp_path / "go", says)
    _, err = last.communicate(timeout=120)
    assert last.returncode == 0 and b"0 predicted" in err
    whole = run(
        get("mini-fss-wild"), "entityseg.benchmarks.models.superpixels:Superpixels", tmp_path / "calm",
        data=mini, model_options={"regions": 30}, bootstrap=0,
    )  # fmt: skip
    assert (out / "predictions.jsonl").read_bytes() == (whole.folder / "predictions.jsonl").read_bytes()
