from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.sim.plots import draw
from bridge.sim.trace import Trace
from bridge.sim.world import run
from tests.sim.scenarios import small

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def trace() -> Trace:
    drawn = Trace(1.0)
    run(small({"a": {}, "b": {}}, duration_s=60.0), "ours", drawn)
    return drawn


def test_a_run_is_drawn(trace: Trace, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(trace, "a run", tmp_path / "run.png")
    picture = (tmp_path / "run.png").read_bytes()
    assert picture.startswith(PNG)
    assert 10_000 < len(picture) < 60_000


def test_a_picture_that_cannot_be_written_is_said(trace: Trace, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ConfigError, match=r"run\.png: No such file"):
        draw(trace, "a run", tmp_path / "nowhere" / "run.png")


def test_without_matplotlib_the_extra_is_named(
    trace: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"packbridge\[plot\]"):
        draw(trace, "a run", tmp_path / "run.png")
