"""What the models need that the ground floor does not have, asked for before anything of it is imported."""

from __future__ import annotations

from importlib.util import find_spec

from entityseg.errors import usage_error

_NEEDED = ("torch", "transformers", "accelerate", "safetensors", "yaml")


def require_models() -> None:
    """Check that the extra `models` is installed.

    Raises:
        UsageError: a package of it is not there.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        message = f"the models need {', '.join(missing)}, which is not installed"
        raise usage_error("extra.models", message, "Run: pip install 'entityseg[models]'")
