"""Fixtures for the models: one thread, so that they are fast beside each other and equal each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `models`")
pytest.importorskip("transformers", reason="needs the extra `models`")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """With more, threads wait for each other on a busy machine, and a step takes a hundred times as long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def golden(shared_data: Path) -> Path:
    """Folder of the released code's numbers at small size."""
    folder = shared_data / "golden"
    if not folder.is_dir():
        pytest.skip(f"no golden values at {folder}")
    return folder
