"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Derandomised: the same examples each time, and no example database on disk. Compilation breaks any deadline.
settings.register_profile("entityseg", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("entityseg")

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real samples, `../shared/data` beside the checkout or `$ENTITYSEG_SHARED/data`."""
    shared = Path(os.environ.get("ENTITYSEG_SHARED", CHECKOUT.parent / "shared"))
    if not (shared / "data").is_dir():
        pytest.skip(
            f"no shared samples at {shared / 'data'}; set ENTITYSEG_SHARED to the folder that holds data/"
        )
    return shared / "data"
