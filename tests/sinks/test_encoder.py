from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cantools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import profiles
from bridge.errors import BridgeBug, ConfigError
from bridge.model import Alarm, CanFrame, Limit
from bridge.profiles import Above, Poll, Profile, Range, Slow
from bridge.sinks import dialect as dialects
from bridge.sinks.encoder import Encoder
from tests.sinks.helpers import VECTORS, alarm_bits, by_hand, decision, deye, encode, profile, pylontech, sent

GENUINE = profile(pad_to=0)
DUST = 1e-9
NONE: frozenset[Alarm] = frozenset()

VALUES: dict[str, float] = {
    "charge_voltage_limit_v": 56.0,
    "discharge_voltage_limit_v": 46.0,
    "charge_current_limit_a": 100.0,
    "discharge_current_limit_a": 150.0,
    "charge_enabled": True,
    "discharge_enabled": True,
    "force_charge_2": False,
    "full_charge_request": False,
    "voltage_v": 53.12,
    "current_a": -12.3,
    "soc_pct": 57.0,
    "soh_pct": 99.0,
    "temperature_c": 23.4,
    "module_count": 3,
}


def encoded(used: Profile | None = None, /, **changes: Any) -> dict[str, Any]:
    """What a hand-written reader finds in the frames for these values, without any policy."""
    return by_hand(Encoder(used or deye(), pylontech()).encode(VALUES | changes, NONE, NONE))


def expected_decision(expect: dict[str, Any]) -> Any:
    bank: dict[str, object] = {
        "voltage_v": expect["voltage_v"],
        "current_a": expect["current_a"],
        "soc": expect["soc_pct"] / 100,
        "soh": expect["soh_pct"] / 100,
        "temperature_c": expect.get("temperature_c"),
        "packs_online": expect.get("module_count", 0),
    }
    limits = {name: expect.get(name, 0.0) for name in expect if "_limit_" in name}
    enables = {name: expect.get(name, True) for name in ("charge_enabled", "discharge_enabled")}
    return decision(bank=bank, **limits, **enables)


@pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS if vector["expect"].get("discharge_current_limit_a", 0) >= 0],
    ids=lambda vector: vector["name"],
)
def test_genuine_frames_come_out_byte_for_byte(vector: dict[str, Any]) -> None:
    lengths = {len(one["data"]) // 2 for one in vector["frames"]}
    used = deye() if lengths == {8} else GENUINE
    ours = {frame.can_id: frame.data for frame in encode(expected_decision(vector["expect"]), used)}
    for one in vector["frames"]:
        theirs = bytes.fromhex(one["data"])
        assert ours[one["id"]][: len(theirs)] == theirs


def test_the_genuine_lengths_are_kept_where_the_profile_asks_for_them() -> None:
    assert [len(frame.data) for frame in encode(decision(), GENUINE)] == [8, 4, 6, 7, 2, 8]


def test_frames_are_padded_to_eight_bytes_by_default() -> None:
    assert [len(frame.data) for frame in encode(decision())] == [8] * 6


def test_the_order_is_the_profiles() -> None:
    order = (0x359, 0x351, 0x35E, 0x356, 0x355, 0x35C)
    assert tuple(frame.can_id for frame in encode(decision(), profile(order=order))) == order


def test_the_worked_example() -> None:
    frames = [frame.data.hex(" ").upper() for frame in encode(decision(), GENUINE)]
    assert frames[:3] == ["30 02 E8 03 DC 05 CC 01", "39 00 63 00", "C0 14 85 FF EA 00"]


# Rounding and clamping

limits = st.floats(0, 1e9) | st.integers(0, 70000).map(lambda tenths: tenths / 10)
measured = st.floats(-1e9, 1e9)

HIGHEST = {
    "charge_voltage_limit_v": 6553.5,
    "charge_current_limit_a": 3276.7,
    "discharge_current_limit_a": 3276.7,
}


@given(st.sampled_from(sorted(HIGHEST)), limits)
def test_a_limit_never_leaves_higher_than_decided_and_loses_less_than_a_step(name: str, value: float) -> None:
    found = encoded(**{name: value})[name]
    assert found <= value + DUST
    assert found > min(value, HIGHEST[name]) - 0.1 - DUST


@given(limits)
def test_the_discharge_voltage_limit_never_leaves_lower_than_decided(value: float) -> None:
    found = encoded(discharge_voltage_limit_v=value)["discharge_voltage_limit_v"]
    assert found >= min(value, 6553.5) - DUST
    assert found < value + 0.1 + DUST


@given(st.floats(-1000, 1000))
def test_soc_is_rounded_down_to_whole_percent_between_0_and_100(value: float) -> None:
    inside = min(100.0, max(0.0, value))
    assert inside - 1 < encoded(soc_pct=value)["soc_pct"] <= inside + DUST


@pytest.mark.parametrize(
    ("name", "step", "low", "high"),
    [("voltage_v", 0.01, 0, 327.67), ("current_a", 0.1, -3276.8, 3276.7), ("temperature_c", 0.1, -100, 200)],
)
@given(value=measured)
def test_measured_values_are_nearest_and_clamped(
    name: str, step: float, low: float, high: float, value: float
) -> None:
    inside = min(high, max(low, value))
    assert abs(encoded(**{name: value})[name] - inside) <= step / 2 + DUST


@pytest.mark.parametrize("tenths", range(0, 700, 7))
def test_float_dust_costs_no_step(tenths: int) -> None:
    dusty = tenths / 10 / 3 * 3  # 0.3 becomes 0.30000000000000004 or 0.29999999999999993
    found = encoded(
        charge_voltage_limit_v=dusty, charge_current_limit_a=tenths * 0.1, discharge_voltage_limit_v=dusty
    )
    assert found["charge_voltage_limit_v"] == tenths / 10
    assert found["charge_current_limit_a"] == tenths / 10
    assert found["discharge_voltage_limit_v"] == tenths / 10


@pytest.mark.parametrize("value", [6553.6, 6553.4999, 1e5, 1e308])
def test_what_does_not_fit_is_clamped_and_never_wraps(value: float) -> None:
    assert encoded(charge_voltage_limit_v=value)["charge_voltage_limit_v"] == (
        6553.5 if value > 6553.5 else 6553.4
    )


def test_a_huge_negative_current_is_clamped_too() -> None:
    assert encoded(current_a=-1e308)["current_a"] == -3276.8


@pytest.mark.parametrize("limit", list(Limit))
@pytest.mark.parametrize("value", [-1e-300, -0.1, -1e308])
def test_a_negative_limit_is_a_bug_and_is_not_sent(limit: Limit, value: float) -> None:
    with pytest.raises(BridgeBug, match=limit.value):
        encoded(**{limit.value: value})


@pytest.mark.parametrize("name", sorted(VALUES))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_a_bug_and_is_not_sent(name: str, value: float) -> None:
    with pytest.raises(BridgeBug, match=name):
        encoded(**{name: value})


def test_a_value_that_is_missing_is_a_bug_and_is_not_sent() -> None:
    values = {name: value for name, value in VALUES.items() if name != "voltage_v"}
    with pytest.raises(BridgeBug, match="voltage_v: None is no number"):
        Encoder(deye(), pylontech()).encode(values, NONE, NONE)


def test_a_text_where_a_number_belongs_is_a_bug() -> None:
    with pytest.raises(BridgeBug, match="voltage_v: '53' is no number"):
        Encoder(deye(), pylontech()).encode(VALUES | {"voltage_v": "53"}, NONE, NONE)


# Alarms and constants


@pytest.mark.parametrize(
    ("protections", "warnings", "bits"),
    [
        ({Alarm.CELL_OVERVOLTAGE}, set(), ["protection_overvoltage"]),
        ({Alarm.PACK_UNDERVOLTAGE}, set(), ["protection_undervoltage"]),
        ({Alarm.DISCHARGE_OVERTEMPERATURE}, set(), ["protection_overtemperature"]),
        ({Alarm.CHARGE_UNDERTEMPERATURE}, set(), ["protection_undertemperature"]),
        ({Alarm.SHORT_CIRCUIT}, set(), ["protection_discharge_overcurrent"]),
        ({Alarm.CHARGE_OVERCURRENT}, set(), ["protection_charge_overcurrent"]),
        ({Alarm.FIRE}, set(), ["protection_system_error"]),
        ({Alarm.BMS_COMMUNICATION}, set(), ["warning_internal_communication"]),
        (set(), {Alarm.BMS_COMMUNICATION}, ["warning_internal_communication"]),
        (set(), {Alarm.CELL_OVERVOLTAGE}, ["warning_high_voltage"]),
        (set(), {Alarm.CHARGE_OVERCURRENT}, ["warning_charge_high_current"]),
        (set(), {Alarm.FIRE, Alarm.SOC_LOW}, []),
        ({Alarm.SOC_LOW, Alarm.FULLY_CHARGED}, set(), []),
        (
            {Alarm.CELL_OVERVOLTAGE, Alarm.PACK_OVERVOLTAGE},
            {Alarm.DISCHARGE_OVERCURRENT},
            ["protection_overvoltage", "warning_discharge_high_current"],
        ),
    ],
)
def test_alarms_set_their_bits(protections: set[Alarm], warnings: set[Alarm], bits: list[str]) -> None:
    given_alarms = decision(protections=frozenset(protections), warnings=frozenset(warnings))
    assert alarm_bits(sent(given_alarms)) == bits


def test_constants_come_from_the_dialect_and_the_profile_overrides_them() -> None:
    assert encoded()["pn_marker"] == 0x4E50
    used = profile(constants={"manufacturer_name": "PYLONDIY", "pn_marker": 0})
    found = encoded(used)
    assert found["pn_marker"] == 0
    assert found["manufacturer_name"] == "PYLONDIY"


def test_a_short_name_is_filled_with_zeros() -> None:
    assert encoded(profile(constants={"manufacturer_name": "BYD"}))["manufacturer_name"] == "BYD\0\0\0\0\0"


def test_a_forced_charge_is_asked_for_with_bit_4_alone() -> None:
    found = sent(decision(force_charge=True))
    assert (found["force_charge_1"], found["force_charge_2"]) == (False, True)


# What a profile adds


def test_coarser_steps_are_rounded_the_same_safe_way() -> None:
    used = profile(steps={"charge_current_limit_a": 5.0, "discharge_voltage_limit_v": 0.5})
    found = encoded(used, charge_current_limit_a=99.9, discharge_voltage_limit_v=46.1)
    assert found["charge_current_limit_a"] == 95.0
    assert found["discharge_voltage_limit_v"] == 46.5


def test_ranges_clamp() -> None:
    used = profile(
        ranges={
            "charge_voltage_limit_v": Range(min=41.0, max=58.45),
            "charge_current_limit_a": Range(min=0.1, max=1200.0),
        }
    )
    high = encoded(used, charge_voltage_limit_v=60.0, charge_current_limit_a=1500.0)
    low = encoded(used, charge_voltage_limit_v=1.0, charge_current_limit_a=0.0)
    assert (high["charge_voltage_limit_v"], high["charge_current_limit_a"]) == (58.4, 1200.0)
    assert (low["charge_voltage_limit_v"], low["charge_current_limit_a"]) == (41.0, 0.1)


def test_a_range_may_be_a_single_value() -> None:
    used = profile(ranges={"soh_pct": Range(min=100.0, max=100.0)})
    assert encoded(used)["soh_pct"] == 100


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"order": (0x351, 0x352)}, "order: 0x352 is no frame of the battery in pylontech-lv"),
        ({"order": (0x305,)}, "order: 0x305 is no frame of the battery"),
        ({"order": (0x355, 0x359)}, "order: none of its frames carries charge_current_limit_a"),
        ({"constants": {}}, "constants.manufacturer_name: missing"),
        ({"constants": {"manufacturer_name": "PYLONTECH"}}, "no text of at most 8 ASCII letters"),
        ({"constants": {"manufacturer_name": "PYLÖN"}}, "no text of at most 8 ASCII letters"),
        ({"constants": {"manufacturer_name": 1}}, "no text of at most 8 ASCII letters"),
        (
            {"constants": {"manufacturer_name": "PYLON", "pn_marker": 65536}},
            "65536 is no whole number from 0 to 65535",
        ),
        ({"constants": {"manufacturer_name": "PYLON", "pn_market": 0}}, 'Did you mean "pn_marker"?'),
        ({"unknown": {"temprature_c": 25.0}}, 'Did you mean "temperature_c"?'),
        ({"ranges": {"soc_pct": Range(min=200.0)}}, "ranges.soc_pct: no value of this range fits the frame"),
        ({"optional": (0x351,)}, "optional: 0x351 carries charge_current_limit_a, charge_voltage_limit_v"),
        (
            {"above": {"soh_pct": Above(of="soc_pc", by=1.0)}},
            "above.soc_pc: there is no such signal in its frames; known: ",
        ),
        ({"steps": {"charge_current_limit_a": 0.25}}, "steps.charge_current_limit_a: must be a multiple"),
        ({"steps": {"charge_current_limit_a": 0.01}}, "steps.charge_current_limit_a: must be a multiple"),
    ],
)
def test_a_profile_that_does_not_fit_its_dialect_is_refused(
    changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Encoder(profile(**changes), pylontech())
    assert complaint in str(caught.value)
    assert str(deye().path) in str(caught.value)


# Layouts that other dialects have

LAYOUT = """VERSION ""
BU_: Battery Inverter
BO_ 849 a: 8 Battery
 SG_ charge_voltage_limit_v : 7|16@0+ (0.1,0) [0|0] "V" Inverter
 SG_ discharge_current_limit_a : 16|16@1+ (-0.1,3000) [0|2500] "A" Inverter
 SG_ current_a : 36|13@0- (0.1,0) [0|0] "A" Inverter
 SG_ charge_enabled : 37|1@0+ (1,0) [0|1] "" Inverter
 SG_ soc_pct : 56|8@1+ (1,0) [0|0] "%" Inverter
 SG_ protection_any : 54|1@0+ (1,0) [0|1] "" Inverter
BO_ 850 b: 8 Battery
 SG_ charge_current_limit_a : 0|16@1+ (0.1,0) [0|0] "A" Inverter
 SG_ manufacturer_name : 23|24@0+ (1,0) [0|0] "" Inverter
BA_DEF_ SG_ "Kind" ENUM "quantity","constant","text";
BA_DEF_ SG_ "Protections" STRING ;
BA_DEF_DEF_ "Kind" "quantity";
BA_DEF_DEF_ "Protections" "";
BA_ "Kind" SG_ 850 manufacturer_name 2;
BA_ "Protections" SG_ 849 protection_any "fire";
"""


def other_layout(folder: Path) -> tuple[Encoder, Any]:
    path = folder / "acme.dbc"
    path.write_text(LAYOUT, "utf-8")
    used = profile(order=(849, 850), constants={"manufacturer_name": "BYD"}, unknown={})
    return Encoder(used, dialects.load(path)), cantools.database.load_file(path)


@given(
    volts=st.floats(0, 6553), amps=st.floats(0, 2500), current_a=st.floats(-400, 400), charge=st.booleans()
)
def test_big_endian_and_mirrored_fields_come_back_through_cantools(
    tmp_path_factory: pytest.TempPathFactory, volts: float, amps: float, current_a: float, charge: bool
) -> None:
    encoder, database = other_layout(tmp_path_factory.mktemp("dbc"))
    changes: dict[str, float] = {
        "charge_voltage_limit_v": volts,
        "discharge_current_limit_a": amps,
        "current_a": current_a,
        "charge_enabled": charge,
    }
    frame, _ = encoder.encode(VALUES | changes, NONE, NONE)
    found = database.decode_message(849, frame.data)
    assert volts - 0.1 - DUST < found["charge_voltage_limit_v"] <= volts + DUST
    assert amps - 0.1 - 1e-6 < found["discharge_current_limit_a"] <= amps + 1e-6
    assert abs(found["current_a"] - current_a) <= 0.05 + DUST
    assert found["charge_enabled"] == charge
    assert found["soc_pct"] == 57


def test_big_endian_texts_and_alarm_bits_stand_where_they_belong(tmp_path: Path) -> None:
    encoder, database = other_layout(tmp_path)
    alarmed, named = encoder.encode(VALUES, frozenset({Alarm.FIRE}), NONE)
    assert named.data[2:5] == b"BYD"
    assert database.decode_message(849, alarmed.data)["protection_any"] == 1
    assert database.decode_message(849, encoder.encode(VALUES, NONE, NONE)[0].data)["protection_any"] == 0


@pytest.mark.parametrize(("value", "low", "high"), [(1e9, 409.5, 6553.5), (-1e9, -409.6, 0.0)])
def test_where_a_dbc_states_no_range_the_bits_are_the_range(
    tmp_path: Path, value: float, low: float, high: float
) -> None:
    encoder, database = other_layout(tmp_path)
    changes = {"current_a": value, "charge_voltage_limit_v": max(value, 0.0)}
    frame, _ = encoder.encode(VALUES | changes, NONE, NONE)
    found = database.decode_message(849, frame.data)
    assert found["current_a"] == pytest.approx(low)
    assert found["charge_voltage_limit_v"] == pytest.approx(high)


def test_a_mirrored_limit_is_clamped_on_both_sides(tmp_path: Path) -> None:
    encoder, database = other_layout(tmp_path)
    frame, _ = encoder.encode(VALUES | {"discharge_current_limit_a": 1e9}, NONE, NONE)
    assert frame == CanFrame(849, frame.data)
    assert database.decode_message(849, frame.data)["discharge_current_limit_a"] == 2500.0


# Profiles that ask more of a dialect than it has

ASKED: dict[str, Any] = {"id": 0x123, "period_s": 1.0, "may_be_late_s": 5.0}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"polls": (Poll(**ASKED, send=(0x999,)),)}, "polls[0].send: 0x999 is no frame of the battery"),
        ({"slow": (Slow(period_s=10.0, order=(0x999,)),)}, "slow[0].order: 0x999 is no frame of the battery"),
        (
            {"order": (0x355, 0x356), "slow": (Slow(period_s=10.0, order=(0x351, 0x35E)),)},
            "order: none of its frames carries charge_current_limit_a",
        ),
        (
            {"order": (), "polls": (Poll(**ASKED, send=(0x355, 0x35E)),)},
            "polls: none of its frames carries charge_current_limit_a",
        ),
        ({"states": {"open": {"contactor": 0}}}, "states.open.contactor: there is no such constant"),
    ],
)
def test_what_a_conversation_needs_and_the_dialect_lacks_is_named(
    changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Encoder(profile(**changes), pylontech())
    assert complaint in str(caught.value)


def test_every_inverter_has_frames_that_hold_it_back() -> None:
    names = profiles.can()
    assert len(names) > 40
    for name in names:
        encoder = encoder_of(name)
        assert encoder.limiting
        assert encoder.limiting <= encoder.ids
    assert encoder_of("deye-lv").limiting == {(0x351, False), (0x359, False), (0x35C, False)}
    assert (0x355, False) not in encoder_of("sma-sunny-island").limiting


def encoder_of(name: str) -> Encoder:
    used = profiles.load(name)
    return Encoder(used, dialects.of_profile(used))
