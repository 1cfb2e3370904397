"""While a wheel is built: the battery's part of the code, compiled with mypyc.

What decides, `bridge/battery` and the model that it works on, becomes one extension module; the sources
stay beside it, and are what runs where there is none. The guard is left out: the last step before an
inverter runs as it is read. PACKBRIDGE_COMPILE=yes makes it an error if that can't be done (no C compiler,
no Python headers), PACKBRIDGE_COMPILE=no leaves it. An editable installation is never compiled.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VARIABLE = "PACKBRIDGE_COMPILE"
NEEDS = ("mypy>=2.0,<3", "setuptools>=77")
NAME = "packbridge_core"
LEFT_OUT = frozenset({"bridge/battery/__init__.py", "bridge/battery/guard.py"})
# Optimised little: as fast as with -O3, and made in a third of the time.
SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup
modules = mypycify(sys.argv[2:], opt_level="1", debug_level="0", multi_file=True, group_name=sys.argv[1])
setup(name=sys.argv[1], ext_modules=modules, script_args=["--quiet", "build_ext", "--inplace"])
"""


class CannotCompileError(Exception):
    """What went wrong, in the compiler's words."""


def core(root: Path) -> list[str]:
    """The files to compile, relative to the project's root."""
    files = [
        "bridge/model.py",
        *(f"bridge/battery/{path.name}" for path in (root / "bridge/battery").glob("*.py")),
    ]
    return sorted(set(files) - LEFT_OUT)


def compiled(root: Path, into: Path) -> dict[str, str]:
    """Compile in a folder of its own: where each extension module lies, and where it belongs."""
    shutil.copytree(root / "bridge", into / "bridge", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (into / "mypy.ini").write_text("[mypy]\nignore_missing_imports = True\n")
    command = [sys.executable, "-c", SETUP, NAME, *core(root)]
    done = subprocess.run(command, cwd=into, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    found = {str(path): str(path.relative_to(into)) for path in into.rglob(f"*{_suffix()}")}
    found = {path: place for path, place in found.items() if not place.startswith("build")}
    if done.returncode != 0 or not found:
        raise CannotCompileError(
            (done.stdout + done.stderr).strip()[-2000:] or "no extension module came of it"
        )
    return found


def _suffix() -> str:
    import sysconfig

    return str(sysconfig.get_config_var("EXT_SUFFIX") or ".so")


class CompiledCore(BuildHookInterface[Any]):
    """The hook; hatchling calls it."""

    def dependencies(self) -> list[str]:
        """What is needed beside hatchling."""
        return [] if self._wanted(os.environ) is False else list(NEEDS)

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before a wheel is put together."""
        wanted = self._wanted(os.environ)
        if version == "editable" or wanted is False:
            return
        folder = Path(tempfile.mkdtemp(prefix="packbridge-build-"))
        build_data["packbridge_folder"] = folder
        try:
            found = compiled(Path(self.root), folder)
        except (CannotCompileError, OSError) as error:
            if wanted:
                raise
            self.app.display_warning(f"the battery's code is not compiled, and runs as plain Python: {error}")
            return
        build_data["force_include"].update(found)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """After it."""
        if folder := build_data.get("packbridge_folder"):
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _wanted(environment: Mapping[str, str]) -> bool | None:
        """Whether somebody insists on it, or on the contrary."""
        return {"yes": True, "no": False}.get(environment.get(VARIABLE, ""))
