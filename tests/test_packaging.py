"""What `pip install` gives: the contents and metadata of the built distributions, and the pins behind `make`."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "glirel_transformers"
EXTRAS = {"benchmark", "browser", "dev", "graph", "onnx", "ray", "space", "train"}


def read_version() -> str:
    match = re.search(r'^__version__ = "(.+)"$', (PACKAGE / "_version.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert match, "glirel_transformers/_version.py holds no __version__"
    return match[1]


def package_files() -> set[str]:
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in files}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (path,) = distributions.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(f"{dist_info()}/METADATA").decode())


def dist_info() -> str:
    return f"glirel_transformers-{read_version()}.dist-info"


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(wheel):
    assert wheel.name == f"glirel_transformers-{read_version()}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        members = set(archive.namelist())
    expected = package_files() | {
        f"{dist_info()}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    assert members == expected
    assert "glirel_transformers/py.typed" in members
    hub_files = {name for name in members if name.endswith("_glirel.py")}
    assert hub_files == {f"glirel_transformers/{path.name}" for path in PACKAGE.glob("*_glirel.py")}
    assert hub_files
    suffixes = {Path(name).suffix for name in package_files() if not name.endswith("/py.typed")}
    assert suffixes == {".py", ".jinja"}, "only code and the page of reports belong in the package"


@pytest.mark.slow
def test_source_distribution_holds_what_the_wheel_needs_and_nothing_else(distributions):
    (path,) = distributions.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        members = {member.name.split("/", 1)[1] for member in archive.getmembers() if member.isfile()}
    extra = {"PKG-INFO", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore"}
    assert members - {".gitignore"} == package_files() | extra - {".gitignore"}


@pytest.mark.slow
def test_metadata(metadata, wheel):
    assert metadata["Name"] == "glirel-transformers"
    assert metadata["Version"] == read_version()
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Requires-Python"] == ">=3.10"
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS
    assert metadata.get_payload().strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()
    with zipfile.ZipFile(wheel) as archive:
        entry_points = configparser.ConfigParser()
        entry_points.read_string(archive.read(f"{dist_info()}/entry_points.txt").decode())
        license_text = archive.read(f"{dist_info()}/licenses/LICENSE").decode()
    assert {name: dict(entry_points[name]) for name in entry_points.sections()} == {
        "console_scripts": {"glirel": "glirel_transformers.cli:app"}
    }
    assert "Apache License" in license_text


@pytest.mark.slow
def test_every_requirement_is_pinned_to_a_version_that_it_allows(metadata):
    pins = read_pins()
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist")]
    plain = {requirement.name for requirement in requirements if requirement.marker is None}
    assert plain == {"torch", "transformers", "tokenizers", "safetensors", "huggingface-hub", "typer", "rich", "tqdm"}
    for requirement in requirements:
        if requirement.name != "glirel-transformers":
            pin = pins.get(canonicalize_name(requirement.name))
            assert pin is not None, f"{requirement.name} is not in constraints.txt"
            assert requirement.specifier.contains(pin), f"{requirement} excludes the pinned {pin}"


def read_pins(python_version: str | None = None) -> dict[str, str]:
    """The versions in constraints.txt, by canonical name, for one version of Python (this one by default)."""
    environment = default_environment() | ({"python_version": python_version} if python_version else {})
    pins: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        assert re.fullmatch(r'[a-z0-9-]+==[a-z0-9.]+( ; python_version (<|>=) "3\.\d+")?', line), line
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            assert requirement.name not in pins, f"{requirement.name} is pinned twice for Python {python_version}"
            pins[requirement.name] = next(iter(requirement.specifier)).version
    return pins


@pytest.mark.parametrize("python_version", ["3.10", "3.11", "3.12", "3.13"])
def test_constraints_are_exact_pins(python_version):
    pins = read_pins(python_version)
    assert pins["torch"] == "2.13.0"
    assert pins["transformers"] == ("5.20.2" if python_version == "3.10" else "5.23.0")


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_installs_torch_first_and_exactly(target, tmp_path):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    command = ["make", "--dry-run", target, f"VENV={tmp_path / 'venv'}", f"PYTHON={sys.executable}"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    installs = [line for line in result.stdout.splitlines() if "pip install" in line]
    assert "--upgrade pip" in installs[0]
    assert installs[1].endswith("--constraint constraints.txt torch==2.13.0")
    assert "--constraint constraints.txt" in installs[2]
    assert "--editable" in installs[2]
    assert len(installs) == 3
