"""The drawings: what is in the files and the page, and that the page asks nobody for anything."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bridge.cli.picture_view import picture as in_terminal
from bridge.dump import plot_file, plot_page
from bridge.dump.picture import Picture
from bridge.errors import ConfigError
from bridge.model import Alarm, Decision
from tests.dump.bus import START_S, alarmed, at, frames
from tests.dump.test_picture import drawn

PNG = b"\x89PNG\r\n\x1a\n"
CHROMIUM = shutil.which("chromium")


def eventful() -> Picture:
    def decide(second: int) -> Decision:
        protections = alarmed(Alarm.CELL_OVERVOLTAGE) if 30 <= second < 50 else alarmed()
        return at(second, current_a=float(second % 17), protections=protections)

    return drawn(frames([*range(60), *range(90, 120)], decide))


def pixels(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head.startswith(PNG)
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def test_a_png_is_as_wide_as_a_screen_and_not_empty(tmp_path: Path) -> None:
    path = tmp_path / "dump.png"
    plot_file.save(eventful(), path)
    width, height = pixels(path)
    assert (width, 700 < height < 1400) == (1200, True)
    assert path.stat().st_size > 20_000


def test_an_svg_names_every_axis_limit_and_alarm_as_text(tmp_path: Path) -> None:
    path = tmp_path / "dump.svg"
    plot_file.save(eventful(), path)
    root = ET.parse(path).getroot()
    texts = {(node.text or "").strip() for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"voltage, V", "current, A", "charge, %", "cells, V", "temperature, °C"} <= texts
    assert {"CVL", "DVL", "CCL", "DCL", "allowed", "alarm high voltage", "battery silent"} <= texts
    assert any("victron" in text for text in texts)


def test_of_a_log_without_times_the_axis_counts_frames(tmp_path: Path) -> None:
    path = tmp_path / "dump.svg"
    plot_file.save(drawn([(float("nan"), frame) for _, frame in frames(range(3))]), path)
    assert ">frame<" in path.read_text()


def test_a_log_from_its_start_has_a_relative_axis(tmp_path: Path) -> None:
    path = tmp_path / "dump.svg"
    plot_file.save(drawn([(time_s - START_S, frame) for time_s, frame in frames(range(200))]), path)
    assert "time since the start, min" in path.read_text()


def test_a_file_that_cannot_be_drawn_into_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"ends with \.png or \.svg"):
        plot_file.check(tmp_path / "dump.pdf")
    with pytest.raises(ConfigError, match="name a file that can be written"):
        plot_file.save(eventful(), tmp_path / "nowhere" / "dump.png")
    monkeypatch.setattr(plot_file, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"packbridge\[plot\]"):
        plot_file.check(tmp_path / "dump.png")


# The page


class Elements(HTMLParser):
    """Collects what a page refers to and its data, and whether its tags are closed in order."""

    EMPTY = frozenset({"meta", "link", "img", "br", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, str | None]] = []
        self.references: list[str] = []
        self.data = ""
        self.title = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.references += [
            value or "" for name, value in attrs if name in {"src", "href", "srcset", "action"}
        ]
        if tag not in self.EMPTY:
            self.open.append((tag, given.get("id")))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == ("script", "data"):
            self.data += data
        if self.open and self.open[-1][0] == "title":
            self.title += data


def read(page: str) -> tuple[Elements, dict[str, object]]:
    elements = Elements()
    elements.feed(page)
    elements.close()
    assert elements.open == []
    return elements, json.loads(elements.data)


def test_the_page_is_whole_and_refers_to_nothing_outside() -> None:
    page = plot_page.page(eventful())
    elements, _ = read(page)
    assert elements.references == []
    assert "default-src 'none'" in page
    assert re.findall(r"https?:|//[a-z]+\.[a-z]|fetch\(|XMLHttpRequest|import\s*\(", page) == []


def test_every_point_of_the_picture_is_in_the_page() -> None:
    picture = eventful()
    _, data = read(plot_page.page(picture))
    panels = data["panels"]
    assert isinstance(panels, list)
    for panel, shown in zip(picture.panels, panels, strict=True):
        assert (shown["title"], shown["unit"]) == (panel.title, panel.unit)
        for line, there in zip((*panel.lines, *(panel.band or ())), shown["lines"], strict=True):
            expected_s = line.time_s - picture.start_s
            np.testing.assert_allclose(list(accumulate(there["t"])), 1000 * expected_s, atol=0.51)
            values = [float("nan") if value is None else value for value in there["v"]]
            np.testing.assert_allclose(values, line.value, rtol=1e-5)
        assert [shown["lines"][place]["name"] for place in shown["band"] or []] == [
            one.name for one in panel.band or ()
        ]
    assert data["silences"] == [[pytest.approx(59.12, abs=0.02), pytest.approx(90.0, abs=0.02)]]
    assert data["epoch_s"] == START_S


def test_what_a_log_is_called_is_text_in_the_page_and_never_code() -> None:
    hostile = "</script><script>alert(1)</script>&\u2028"
    elements, data = read(plot_page.page(replace(eventful(), source=hostile)))
    assert str(data["title"]).startswith(hostile)
    assert elements.title.startswith(hostile)


def test_a_month_is_a_small_page_with_every_extreme_in_it() -> None:
    picture = drawn(
        frames(range(0, 24_000, 3), lambda second: at(second, current_a=float(second * 7919 % 199 - 99)))
    )
    page = plot_page.page(picture)
    assert len(page) < 400_000
    currents = next(panel for panel in picture.panels if panel.title == "current").lines[0].value
    assert (np.nanmin(currents), np.nanmax(currents)) == (-99.0, 99.0)


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name a file that can be written"):
        plot_page.save(eventful(), tmp_path / "nowhere" / "dump.html")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed here")
def test_a_browser_draws_the_page_without_an_error(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    path = tmp_path / "dump.html"
    text = plot_page.page(eventful())
    report = "<script>addEventListener('load',()=>requestAnimationFrame(()=>setTimeout(()=>{document.title="
    report += (
        "document.querySelectorAll('canvas').length+' canvases, '+document.querySelectorAll('.entry').length"
    )
    report += "+' entries, '+document.getElementById('when').textContent},50)))</script></body>"
    path.write_text(text.replace("</body>", report))
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--window-size=1200,800",
        "--virtual-time-budget=2000", "--dump-dom",
    ]  # fmt: skip
    ended = subprocess.run(
        [CHROMIUM, *flags, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()],
        capture_output=True, text=True, timeout=50, check=True,
    )  # fmt: skip
    title = re.search(r"<title>(.*?)</title>", ended.stdout)
    assert title is not None
    assert re.match(r"6 canvases, \d\d entries, 2024-05-01 .* to 2024-05-01 ", title[1])


# The terminal


def test_the_terminal_shows_panels_lanes_and_silences_within_its_width() -> None:
    console = Console(width=80, file=None, record=True, force_terminal=False)
    with console.capture() as captured:
        console.print(in_terminal(eventful(), 80))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("current, A  current 0 to 16  DCL -120  CCL 100") for line in lines)
    (bars,) = [lines[n - 1] for n, line in enumerate(lines) if line.strip() == "alarm high voltage"]
    there = [column for column, letter in enumerate(bars[10:]) if letter == "█"]
    assert [there[0], there[-1]] == pytest.approx([70 * 30 / 120, 70 * 50 / 120], abs=1.5)
    assert any("░" in line for line in lines)


def test_without_an_alarm_the_terminal_says_so() -> None:
    console = Console(width=60)
    with console.capture() as captured:
        console.print(in_terminal(drawn(frames(range(5))), 60))
    assert "no alarm stood" in captured.get()
