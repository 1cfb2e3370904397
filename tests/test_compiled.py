"""Which code is compiled while a wheel is built, and what is built where that can't be done.

Here nothing is compiled, because it takes a minute; `.ci/run` installs the package as users do, and lets
the tests of the battery run on what was compiled.
"""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

import hatch_build

ROOT = Path(__file__).parents[1]
GUARD = "bridge/battery/guard.py"


@pytest.fixture(autouse=True)
def nobody_said_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests are run with does not count."""
    monkeypatch.delenv(hatch_build.VARIABLE, raising=False)


def hook(builder: WheelBuilder, folder: Path) -> hatch_build.CompiledCore:
    return hatch_build.CompiledCore(
        str(ROOT), {}, builder.config, builder.metadata, str(folder), "wheel", builder.app
    )


def built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel that the hook makes of this tree."""
    builder = WheelBuilder(str(ROOT))
    one = hook(builder, folder)
    monkeypatch.setattr(WheelBuilder, "get_build_hooks", lambda *_: {"custom": one})
    (path,) = builder.build(directory=str(folder), versions=["standard"])
    return Path(path)


def test_all_that_decides_is_compiled_but_the_guard() -> None:
    core = hatch_build.core(ROOT)
    assert GUARD not in core
    assert {"bridge/model.py", "bridge/battery/aggregator.py", "bridge/battery/rules.py"} <= set(core)
    assert all((ROOT / path).is_file() for path in core)


def test_what_was_compiled_lies_beside_its_source_in_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled(root: Path, into: Path) -> dict[str, str]:
        place = "bridge/battery/rules.so"
        made = into / "rules.so"
        made.write_bytes(b"machine code")
        return {str(made): place}

    monkeypatch.setattr(hatch_build, "compiled", compiled)
    wheel = built(tmp_path, monkeypatch)
    assert not wheel.name.endswith("-none-any.whl")
    with ZipFile(wheel) as archive:
        assert archive.read("bridge/battery/rules.so") == b"machine code"
        assert {"bridge/battery/rules.py", GUARD} <= set(archive.namelist())


def test_without_a_compiler_it_is_plain_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(monkeypatch)
    wheel = built(tmp_path, monkeypatch)
    assert wheel.name.endswith("-none-any.whl")
    assert "plain Python: no compiler" in capsys.readouterr().err


def test_who_insists_is_told_why_it_cannot_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    monkeypatch.setenv(hatch_build.VARIABLE, "yes")
    with pytest.raises(hatch_build.CannotCompileError, match="no compiler"):
        built(tmp_path, monkeypatch)


def test_who_does_not_want_it_needs_nothing_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    monkeypatch.setenv(hatch_build.VARIABLE, "no")
    assert hook(WheelBuilder(str(ROOT)), tmp_path).dependencies() == []
    assert built(tmp_path, monkeypatch).name.endswith("-none-any.whl")


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that cannot compile."""

    def compiled(root: Path, into: Path) -> dict[str, str]:
        raise hatch_build.CannotCompileError("no compiler")

    monkeypatch.setattr(hatch_build, "compiled", compiled)
