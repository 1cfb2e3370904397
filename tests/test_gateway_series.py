"""Four 12 V batteries in series behind the engine: JBD bytes of four boards in, frames for 48 V out."""

from __future__ import annotations

from bridge import config, profiles
from bridge.config.ceiling import highest_v
from bridge.events import LinkDown, LinkUp
from bridge.gateway import Gateway
from bridge.model import Reading
from bridge.protocols.contract import Options, load
from bridge.sinks.can import CanSink
from bridge.sinks.dialect import Value
from bridge.status import snapshot
from tests.test_gateway import CAN, Port, World, limits, reading

NAMES = ("first", "second", "third", "fourth")
CONFIG = """
[bank]
rise_after_s = 1
rise_pct_per_s = 50
topology = { series = ["first", "second", "third", "fourth"] }

[pack]
bms = "jbd"
cells = 4
capacity_ah = 100
rated_current_a = 100
series_rated = true

[inverters.house]
profile = "deye-lv"
interface = "virtual"
channel = "test"
""" + "".join(f'\n[packs.{name}]\nport = "/dev/{name}"\n' for name in NAMES)


def four_cells(soc_pct: float = 60.0, cell_v: float = 3.30) -> Reading:
    return Reading(
        {
            **reading(soc_pct=soc_pct),
            "cell_count": 4,
            "cell_voltages_v": (cell_v,) * 4,
            "voltage_v": 4 * cell_v,
            "remaining_ah": soc_pct,
        }
    )


def running() -> World:
    settings = config.parse(CONFIG, "test")
    sink = CanSink("house", profiles.load("deye-lv"), ceiling_v=highest_v(settings))
    made = World(
        Gateway(settings, {"house": sink}, 0.0),
        {f"/dev/{n}": Port(load("jbd").device(Options(cells=4)), lambda _: four_cells()) for n in NAMES},
    )
    for link in (*made.ports, CAN):
        made.event(LinkUp(link))
    made.run(15)
    return made


def test_the_inverter_sees_one_battery_of_48_v() -> None:
    view = running().seen()
    assert view["voltage_v"] == 52.8
    assert view["current_a"] == 5.0
    assert view["soc_pct"] == 60
    assert view["charge_voltage_limit_v"] == 55.2
    assert view["discharge_voltage_limit_v"] == 44.8
    assert limits(view) == (50.0, 100.0)


def test_the_status_shows_the_wiring_and_every_pack() -> None:
    made = running()
    made.ports["/dev/second"].state = lambda _: four_cells(soc_pct=52)
    made.run(20)
    shown = snapshot(made.gateway, made.now)
    bank = shown["bank"]
    assert isinstance(bank, dict)
    assert bank["topology"] == "first+second+third+fourth"
    assert (bank["pack_count"], bank["packs_online"], bank["full_ah"]) == (4, 4, 92.0)
    (report,) = [one for one in made.reports if one.event == "alarm"]
    assert report.fields["alarm"] == "pack_imbalance"
    text = "first+second+third+fourth: second is at 52 %, third at 60 %: balance them"
    assert report.fields["why"] == text


def test_a_cell_at_its_maximum_in_one_battery_stops_charging_of_all() -> None:
    made = running()
    high: Reading = {**four_cells(), "cell_voltages_v": (3.30, 3.30, 3.56, 3.30), "voltage_v": 13.46}
    made.ports["/dev/third"].state = lambda _: high
    made.run(1.2)
    view = made.seen()
    assert (view["charge_enabled"], view["charge_current_limit_a"]) == (False, 0)
    assert view["discharge_enabled"] is True


def test_one_battery_that_opens_or_falls_silent_ends_all_current() -> None:
    made = running()
    off: Reading = {**four_cells(), "charge_fet_on": False, "discharge_fet_on": False, "current_a": 0.0}
    made.ports["/dev/first"].state = lambda _: off
    made.run(1.5)
    assert both(made.seen()) == (0, 0, False, False)
    made = running()
    made.event(LinkDown("/dev/fourth", "unplugged"))
    assert both(made.seen()) == (0, 0, False, False)
    assert made.armed[-1][1].urgent


def both(view: dict[str, Value]) -> tuple[Value, ...]:
    return *limits(view), view["charge_enabled"], view["discharge_enabled"]
