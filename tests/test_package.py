"""The wheel, as users get it: everything that is needed in it, and nothing that is not.

It is built by the build back-end that pyproject.toml names, and installed beside the libraries of
this environment, so that no network is needed. `.ci/run` installs it with its own libraries.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from bridge import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    plain = os.environ | {"PACKBRIDGE_COMPILE": "no"}  # compiling takes a minute: tests/test_compiled.py
    subprocess.run(command, cwd=ROOT, env=plain, check=True, capture_output=True, timeout=60)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`packbridge`, installed from the wheel; its code is found nowhere else."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=False)
    paths = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    python = Path(paths["scripts"]) / "python"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            "install",
            "--quiet",
            "--no-index",
            "--no-deps",
            wheel,
        ],
        check=True,
        timeout=60,
    )
    # A path in a .pth file is searched last, and the .pth files in it are not followed: the libraries
    # of this environment are there, an editable packbridge is not.
    (Path(paths["purelib"]) / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return Path(paths["scripts"]) / "packbridge"


def run(command: Path, folder: Path, *arguments: str) -> str:
    """What the installed command prints in an empty folder, for a user who has set nothing."""
    done = subprocess.run(
        [command, *arguments],
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_all_code_is_in_it(wheel: Path) -> None:
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "bridge").rglob("*.py")}
    assert len(code) > 20
    assert code <= names(wheel)


def test_all_profiles_are_in_it_as_they_are_in_the_tree(wheel: Path) -> None:
    profiles = [path for path in (ROOT / "profiles").rglob("*") if path.suffix in {".toml", ".dbc"}]
    assert len(profiles) >= 2
    with ZipFile(wheel) as archive:
        for path in profiles:
            packed = archive.read(f"bridge/_profiles/{path.relative_to(ROOT / 'profiles')}")
            assert packed == path.read_bytes()


def test_type_checkers_are_told_that_it_is_typed(wheel: Path) -> None:
    assert "bridge/py.typed" in names(wheel)


def test_nothing_but_the_package_and_its_description_is_in_it(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names(wheel)}
    assert tops == {"bridge", f"packbridge-{__version__}.dist-info"}


def test_licence_and_version_are_stated(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        text = archive.read(f"packbridge-{__version__}.dist-info/METADATA").decode()
    metadata = Parser().parsestr(text)
    assert (metadata["License-Expression"], metadata["Version"]) == ("Apache-2.0", __version__)
    assert f"packbridge-{__version__}.dist-info/licenses/LICENSE" in names(wheel)


def test_the_core_needs_no_library_of_an_extra(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        text = archive.read(f"packbridge-{__version__}.dist-info/METADATA").decode()
    needed = [line for line in Parser().parsestr(text).get_all("Requires-Dist", []) if "extra ==" not in line]
    assert not [line for line in needed if line.startswith(("bleak", "pymodbus"))]


def test_the_installed_command_runs_in_an_empty_folder(command: Path, tmp_path: Path) -> None:
    assert "Usage: packbridge" in run(command, tmp_path, "--help")
    assert run(command, tmp_path, "--version") == f"packbridge {__version__}\n"


def test_the_installed_command_finds_its_profiles(command: Path, tmp_path: Path) -> None:
    assert "deye-lv" in run(command, tmp_path, "profiles", "list")


def test_the_installed_command_checks_the_example(command: Path, tmp_path: Path) -> None:
    example = ROOT / "examples" / "deye-3x-jbd.toml"
    assert run(command, tmp_path, "check", "--no-ports", str(example)).endswith(": ok\n")
