"""The wheel holds one top-level name, and all of it; imports run down the house; starting up costs next to nothing."""

from __future__ import annotations

import ast
import configparser
import importlib.util
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_PACKAGES = {"tests", "docs"}


def setup() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def folder_map() -> dict[str, str]:
    """Package name -> folder, as setup.cfg maps them."""
    lines = setup()["options"]["package_dir"].strip().splitlines()
    return {name.strip(): folder.strip() for name, folder in (line.split("=") for line in lines)}


def packages_on_disk() -> set[str]:
    found = set()
    for name, folder in folder_map().items():
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join([name, *init.parent.relative_to(ROOT / folder).parts]))
    return found


def test_package_list_and_disk_agree() -> None:
    listed = setup()["options"]["packages"].split()
    lines = [line for line in listed if not line.startswith("#")]
    assert set(lines) & packages_on_disk() == packages_on_disk()
    assert packages_on_disk() <= set(lines)


def test_every_mapped_folder_is_at_the_top_and_none_is_forgotten() -> None:
    tops = {init.parent.name for init in ROOT.glob("*/__init__.py")} - NOT_PACKAGES
    assert tops == set(folder_map().values())


def test_type_links_point_to_the_folders() -> None:
    links = {link.name: link.resolve() for link in (ROOT / ".types" / "entityseg").iterdir()}
    expected = {path.name: path for path in (ROOT / "entityseg").iterdir() if path.name != "__pycache__"}
    expected.update({folder: ROOT / folder for folder in folder_map().values() if folder != "entityseg"})
    assert links == expected


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names in a wheel built from a copy of the tree, without the network."""
    import shutil

    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignore = shutil.ignore_patterns(
        ".venv", ".git", ".types", "*.egg-info", "__pycache__", "demo", "build", ".*_cache"
    )
    shutil.copytree(ROOT, source, ignore=ignore)
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path).namelist()


def test_wheel_has_one_top_level(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel if ".dist-info/" not in name}
    assert tops == {"entityseg"}


def test_wheel_holds_every_module_and_template(wheel: list[str]) -> None:
    for name, folder in folder_map().items():
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".j2", ".html", ".css", ".toml", ".typed"):
                inside = "/".join([*name.split("."), *path.relative_to(ROOT / folder).parts])
                assert inside in wheel, f"{inside} is missing from the wheel: name its package in setup.cfg"


def test_generic_names_are_not_importable() -> None:
    code = "import importlib.util as u; print([n for n in ('benchmarks', 'stats', 'baselines') if u.find_spec(n)])"
    command = [sys.executable, "-P", "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert found.stdout.strip() == "[]"


# Who may import whom: a floor and what lies below it.
FLOORS = {
    "errors": set(),
    "files": {"errors"},
    "masks": {"errors", "files"},
    "data": {"masks", "errors", "files"},
    "predictions": {"data", "masks", "errors", "files"},
    "metrics": {"predictions", "data", "masks", "errors", "files"},
    "published": {"errors", "files"},
    "protocols": {"data", "masks", "errors", "files"},
    "registry": {"protocols", "errors"},
    "report": {"metrics", "predictions", "data", "masks", "errors", "files"},
    "cli": {"published", "report", "metrics", "predictions", "data", "masks", "errors", "files"},
}
# `cli` for what all commands share: tables, progress, examples.
_GROUND = FLOORS["cli"] | {"cli"}
FLOORS["stats"] = _GROUND
FLOORS["baselines"] = _GROUND | {"protocols", "registry"}
FLOORS["benchmarks"] = FLOORS["baselines"] | {"baselines", "stats"}


def imports_of(path: Path) -> set[str]:
    """First part below `entityseg` of everything that a module imports, wherever in the module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "entityseg":
            names = [f"entityseg.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [node.module or ""]
        found |= {name.split(".")[1] for name in names if name.startswith("entityseg.")}
    return found


def test_imports_run_down_the_house() -> None:
    for name, folder in folder_map().items():
        for path in (ROOT / folder).rglob("*.py"):
            inside = [*name.split("."), *path.relative_to(ROOT / folder).with_suffix("").parts]
            if inside == ["entityseg", "__init__"]:
                continue
            floor = inside[1]
            # `from entityseg import load` and the like go through the lazy top.
            allowed = FLOORS[floor] | {floor, "load", "score", "__version__", "Dataset"}
            assert imports_of(path) <= allowed, f"{path} imports up: {imports_of(path) - allowed}"


def test_import_is_fast_and_light() -> None:
    code = "import sys, entityseg; print(sorted({'torch', 'numpy', 'numba', 'pandas'} & set(sys.modules)))"
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - begin)
        assert found.stdout.strip() == "[]"
    assert min(times) < 0.5


def test_scoring_needs_no_heavy_package() -> None:
    """The checker and the scorer work where only the core is installed."""
    heavy = [
        "torch",
        "transformers",
        "datasets",
        "ray",
        "gradio",
        "matplotlib",
        "pandas",
        "pyarrow",
        "pycocotools",
    ]
    code = (
        "import sys, entityseg, entityseg.metrics, entityseg.predictions, entityseg.data\n"
        f"print(sorted(set({heavy}) & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_public_names_resolve() -> None:
    import entityseg

    for name in entityseg.__all__:
        assert getattr(entityseg, name) is not None
    assert importlib.util.find_spec("entityseg.benchmarks") is not None
