"""What is installed: the public names, their types, the files of the wheel, and the house rules of the source."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import curate

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "curate").rglob("*.py"))


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return process.stdout.strip()


# The public API.


def test_public_names_are_sorted_and_there() -> None:
    assert curate.__all__ == sorted(curate.__all__)
    for name in curate.__all__:
        assert callable(getattr(curate, name)), name
        assert getattr(curate, name).__doc__, name


def test_every_stage_is_a_function_of_the_package() -> None:
    from curate.pipeline import STAGES

    assert set(STAGES) <= set(curate.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'ingst'"):
        _ = curate.ingst  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", ["ingest.plan", "dedup.lsh", "export.mix", "label", "clean", "judge.local"])
def test_a_function_stays_a_function_after_its_module_was_imported(module: str) -> None:
    name = module.split(".")[0].replace("judge", "score")
    code = f"import curate.{module}, curate, types; print(isinstance(curate.{name}, types.FunctionType))"
    assert python(code) == "True"


def test_import_curate_is_instant_and_loads_next_to_nothing() -> None:
    heavy = {"polars", "pyarrow", "numpy", "typer", "rich", "openai", "torch", "numba", "datasketch"}
    loaded = python("import sys, curate; print(*sys.modules)").split()
    assert heavy.isdisjoint(loaded)


def test_type_checkers_and_the_lazy_loader_know_the_same_names() -> None:
    tree = ast.parse((ROOT / "curate" / "__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    lines = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert {alias.asname: line.module for line in lines for alias in line.names} == curate._PUBLIC


def test_type_checkers_are_told_that_we_have_types_and_not_that_any_name_goes() -> None:
    assert (ROOT / "curate" / "py.typed").exists()
    tree = ast.parse((ROOT / "curate" / "__init__.py").read_text("utf-8"))
    assert not [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "__getattr__"]


# The wheel.


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = [name for name in ("build", "hatchling") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"no wheel to look at: pip install {' '.join(missing)}")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_carries_rules_and_types_and_no_test(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {f"curate/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "rules").rglob("*.toml")}
    assert "curate/rules/labels.toml" in shipped
    assert shipped <= names
    assert {path.relative_to(ROOT).as_posix() for path in SOURCES} <= names
    assert "curate/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "sample_data"))]
    assert curate.__version__ in wheel.name


def test_the_wheel_finds_its_rules_without_the_source_tree(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import curate, curate.rules as rules"
    code += "; print(curate.__file__, rules.check('labels').path)"
    command = [sys.executable, "-P", "-c", code]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert process.stdout.split() == [f"{tmp_path}/curate/__init__.py", f"{tmp_path}/curate/rules/labels.toml"]


# The house rules.


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_has_one_idea_and_says_which(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text)), "a module begins with what it is for"
    calls = (node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]


HEAVY = {"polars", "pyarrow", "numpy", "openai", "datasketch", "scipy", "numba", "torch", "transformers"}
LIGHT = (
    "__init__",
    "__main__",
    "cli",
    "console",
    "errors",
    "output",
    "pipeline",
    "rule_kinds",
    "rules",
    "rules_cli",
    "workspace",
)


@pytest.mark.parametrize("name", LIGHT)
def test_what_the_command_line_imports_is_light(name: str) -> None:
    tree = ast.parse((ROOT / "curate" / f"{name}.py").read_text("utf-8"))
    imported = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    assert imported.isdisjoint(HEAVY)


def test_the_version_is_written_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "curate/__init__.py"
    assert all(part.isdigit() for part in curate.__version__.split("."))
    assert f"{curate.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_every_dependency_is_imported_somewhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    imported = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module).split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    named = {"phonenumberslite": "phonenumbers", "python-stdnum": "stdnum"}
    wanted = [re.split(r"[^\w-]", line)[0] for line in project["project"]["dependencies"]]
    wanted = {named.get(name, name).replace("-", "_") for name in wanted}
    assert wanted <= imported
