"""What holds for every protocol in the folder, whoever wrote it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.model import CanFrame, PackSample, Reading, sample_of
from bridge.protocols.contract import (
    Decoder,
    Drop,
    Dropped,
    Entry,
    Message,
    NoReply,
    Options,
    Payload,
    Request,
    Script,
    load,
    names,
)
from tests.protocols.helpers import Silent, ask, fed, footprint, messages, pieces, said_unasked

NAMES = names()
READING_KEYS = set(get_type_hints(Reading))

FULL_READING: Reading = {
    "voltage_v": 52.8,
    "current_a": -12.3,
    "soc_pct": 61,
    "soh_pct": 99,
    "remaining_ah": 61.0,
    "full_ah": 100.0,
    "design_ah": 100.0,
    "cycles": 17,
    "cell_count": 16,
    "cell_voltages_v": (3.3,) * 16,
    "temperatures_c": (21.0, 22.0),
    "mosfet_temperature_c": 25.0,
    "charge_fet_on": True,
    "discharge_fet_on": True,
    "charge_allowed": True,
    "discharge_allowed": True,
    "balancing": False,
    "protections": frozenset(),
    "warnings": frozenset(),
    "charge_voltage_limit_v": 56.0,
    "discharge_voltage_limit_v": 45.0,
    "charge_current_limit_a": 100.0,
    "discharge_current_limit_a": 100.0,
}

can_frames = st.builds(
    CanFrame,
    can_id=st.integers(0, 0x1FFF_FFFF),
    data=st.binary(max_size=8),
    extended=st.booleans(),
)


def _byte_protocol(name: str) -> Entry:
    entry = load(name)
    if entry.spec.links == ("can",):
        pytest.skip("speaks in CAN frames")
    return entry


def _can_protocol(name: str) -> Entry:
    entry = load(name)
    if entry.spec.links != ("can",):
        pytest.skip("speaks in bytes")
    return entry


def _options(entry: Entry) -> Options:
    """What a configuration would say of a pack of this kind."""
    address = entry.spec.address
    if address is None and entry.spec.shared and entry.spec.addresses:
        address = entry.spec.addresses[0]
    return Options(address=address, cells=16, mac="a4:c1:37:04:2d:be")


@cache
def _frames_of_its_own(name: str) -> tuple[Payload, ...]:
    """Real traffic of this protocol: what its own session asks and its own device answers."""
    entry = load(name)
    device = entry.device(_options(entry))
    session = entry.session(_options(entry))
    found: list[Payload] = []
    scripts: list[Script[object]] = [session.open(), session.info(), session.poll()]
    for script in scripts:
        try:
            _, sent = ask(entry, script, device, FULL_READING)
        except NoReply:
            continue
        for payload in sent:
            found += device.receive(payload, FULL_READING)
    return (*found, *(item for _ in range(20) for item in said_unasked(device, FULL_READING)))


def test_the_folder_holds_protocols() -> None:
    assert "jbd" in NAMES


def test_an_unknown_protocol_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r'known: .*jbd.*Did you mean "jbd"\?'):
        load("jdb")


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_under_its_file_name(name: str) -> None:
    assert load(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_its_spec_is_possible(name: str) -> None:
    spec = load(name).spec
    assert spec.maker
    assert spec.links
    assert set(spec.links) <= {"serial", "ble", "can"}
    assert ("ble" in spec.links) == (spec.ble is not None)
    assert 0.05 <= spec.reply_timeout_s <= 10.0
    assert 0.0 <= spec.gap_s <= 1.0
    assert 0.001 <= spec.silence_s <= 2.0
    assert spec.wake_tries >= 1
    assert spec.sleeps_after_s is None or spec.sleeps_after_s > 1.0
    assert not spec.baudrates or spec.baudrate in spec.baudrates
    assert spec.address is None or spec.addresses is None or spec.address in spec.addresses
    if spec.shared:
        assert spec.addresses, "packs that share a link must be told apart"


@pytest.mark.parametrize("name", NAMES)
def test_its_ble_characteristics_are_sixteen_bits_or_whole_uuids(name: str) -> None:
    ble = load(name).spec.ble
    if ble is None:
        pytest.skip("not on BLE")
    for pair in ble.pairs:
        for uuid in pair:
            assert len(uuid) in {4, 36}
            int(uuid.replace("-", ""), 16)


def _checked(items: list[Message | Dropped], *, least: int = 1) -> None:
    """Every item is as the contract says, and fit for a sample. least: bytes that can be dropped."""
    for item in items:
        if isinstance(item, Dropped):
            assert item.reason in Drop
            assert item.size >= least
            continue
        assert item.name.isidentifier()
        assert item.name == item.name.lower()
        assert set(item.reading) <= READING_KEYS
        for value in item.reading.values():
            assert not isinstance(value, float) or math.isfinite(value)
        sample_of(item.reading, 0.0)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_no_bytes_make_it_raise(name: str, data: st.DataObject) -> None:
    decoder = _byte_protocol(name).decoder()
    for chunk in data.draw(st.lists(st.binary(max_size=400), max_size=8)):
        _checked(decoder.feed(chunk))
        if data.draw(st.booleans()):
            decoder.sent(data.draw(st.binary(max_size=40)))
    _checked(decoder.reset())


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_no_can_frames_make_it_raise(name: str, data: st.DataObject) -> None:
    entry = _can_protocol(name)
    decoder = entry.decoder()
    own = [frame for frame in _frames_of_its_own(name) if isinstance(frame, CanFrame)]
    spoiled = st.builds(replace, st.sampled_from(own or [CanFrame(0x351, b"")]), data=st.binary(max_size=8))
    for frame in data.draw(st.lists(st.one_of(can_frames, spoiled), max_size=40)):
        _checked(decoder.feed(frame), least=0)
        decoder.sent(frame)
    _checked(decoder.reset(), least=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_wrong_kind_of_payload_is_no_error(name: str) -> None:
    entry = load(name)
    decoder = entry.decoder()
    payload: Payload = b"\x01\x02\x03" if entry.spec.links == ("can",) else CanFrame(0x123, b"\x01\x02\x03")
    decoder.sent(payload)
    _checked(decoder.feed(payload), least=0)
    _checked(decoder.reset(), least=0)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_spoiled_traffic_of_its_own_makes_it_neither_raise_nor_lie_about_types(
    name: str, data: st.DataObject
) -> None:
    entry = _byte_protocol(name)
    stream = bytearray(b"".join(item for item in _frames_of_its_own(name) if isinstance(item, bytes)))
    for _ in range(data.draw(st.integers(0, 6)) if stream else 0):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    _checked(fed(entry.decoder(), [bytes(stream)]))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_any_chunking_gives_the_same_messages(name: str, data: st.DataObject) -> None:
    entry = _byte_protocol(name)
    own = [item for item in _frames_of_its_own(name) if isinstance(item, bytes)]
    parts = st.one_of(st.binary(max_size=40), st.sampled_from(own or [b""]))
    stream = b"".join(data.draw(st.lists(parts, max_size=6)))
    sizes = data.draw(st.lists(st.integers(1, 60), min_size=1, max_size=12))
    chunks = pieces(stream, sizes * (len(stream) // sum(sizes) + 1))
    assert messages(fed(entry.decoder(), chunks)) == messages(fed(entry.decoder(), [stream]))


def _grown(decoder: Decoder, payloads: Callable[[int], Payload], count: int) -> int:
    for number in range(count):
        decoder.feed(payloads(number))
    return footprint(decoder)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "fill", [b"\xdd", b"\xff\xaa", b"\x00", b"\xdd\x03\x00\x40", b"\x55\xaa\xeb\x90", b"\xa5\x01\x90"]
)
def test_bytes_without_end_do_not_make_it_grow(name: str, fill: bytes) -> None:
    decoder = _byte_protocol(name).decoder()
    early = _grown(decoder, lambda _: fill * 64, 20)
    late = _grown(decoder, lambda _: fill * 64, 200)
    assert late <= early + 2048


@pytest.mark.parametrize("name", NAMES)
def test_frames_without_end_do_not_make_it_grow(name: str) -> None:
    decoder = _can_protocol(name).decoder()

    def frame(number: int) -> CanFrame:
        return CanFrame(number * 104729 & 0x1FFF_FFFF, bytes(8), extended=True)

    early = _grown(decoder, frame, 500)
    late = _grown(decoder, frame, 5000)
    assert late <= early + 2048


def _requests(script: Script[object]) -> list[Request]:
    """What a script sends to a pack that never answers; it must end by itself, or with NoReply."""
    found: list[Request] = []
    try:
        request = next(script)
        while len(found) < 200:
            found.append(request)
            request = script.throw(NoReply("silence"))
    except (StopIteration, NoReply):
        return found
    raise AssertionError("a script that never ends")


@pytest.mark.parametrize("name", NAMES)
def test_its_scripts_end_when_nobody_answers(name: str) -> None:
    entry = load(name)
    session = entry.session(_options(entry))
    for script in (session.open(), session.info(), session.poll()):
        for request in _requests(script):
            assert request.reply
            assert request.tries >= 1
            assert isinstance(request.data, CanFrame) == (entry.spec.links == ("can",))
            assert request.data if isinstance(request.data, bytes) else True


@pytest.mark.parametrize("name", NAMES)
def test_its_session_takes_any_message_that_nobody_asked_for(name: str) -> None:
    entry = load(name)
    session = entry.session(_options(entry))
    for message in (
        Message("nonsense", {}),
        Message("basic", {}),
        Message("status", {"soc_pct": 50}, address=77),
    ):
        session.collect(message)


@pytest.mark.parametrize("name", NAMES)
def test_its_session_reads_from_its_device_what_the_pack_is_like(name: str) -> None:
    entry = load(name)
    session = entry.session(_options(entry))
    if session.streams:
        pytest.skip("talks by itself")
    device = entry.device(_options(entry))
    ask(entry, session.open(), device, FULL_READING)
    ask(entry, session.info(), device, FULL_READING)
    sample = _assert_like_the_pack(ask(entry, session.poll(), device, FULL_READING)[0])
    assert sample.cells_complete
    assert None not in {sample.voltage_v, sample.current_a, sample.soc, sample.charge_allowed}


@pytest.mark.parametrize("name", NAMES)
def test_its_session_collects_from_its_device_what_the_pack_is_like(name: str) -> None:
    entry = load(name)
    session = entry.session(_options(entry))
    if not session.streams:
        pytest.skip("is polled")
    device, decoder = entry.device(_options(entry)), entry.decoder()
    ask(entry, session.open(), device, FULL_READING)
    said = [item for _ in range(20) for item in said_unasked(device, FULL_READING)]
    readings = [session.collect(message) for message in messages(fed(decoder, said))]
    _assert_like_the_pack(next(reading for reading in reversed(readings) if reading is not None))


def _assert_like_the_pack(reading: Reading) -> PackSample:
    """Whatever the reading has is as in FULL_READING; accessories have little."""
    sample = sample_of(reading, 1.0)
    assert sample.voltage_v is not None or sample.cell_voltages_v
    assert sample.voltage_v in (None, pytest.approx(52.8, abs=0.1))
    assert sample.current_a in (None, pytest.approx(-12.3, abs=0.1))
    assert sample.soc in (None, pytest.approx(0.61, abs=0.005))
    assert sample.cell_voltages_v in ((), pytest.approx((3.3,) * 16, abs=0.001))
    assert sample.charge_allowed in {None, True}
    assert sample.discharge_allowed in {None, True}
    return sample


@pytest.mark.parametrize("name", NAMES)
def test_a_silent_pack_gives_no_reading(name: str) -> None:
    entry = load(name)
    session = entry.session(_options(entry))
    if session.streams:
        pytest.skip("talks by itself")
    with pytest.raises(NoReply):
        ask(entry, session.poll(), Silent(), FULL_READING)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_no_bytes_make_its_device_raise(name: str, data: st.DataObject) -> None:
    entry = _byte_protocol(name)
    device = entry.device(_options(entry))
    for chunk in data.draw(st.lists(st.binary(max_size=60), max_size=6)):
        device.receive(chunk, FULL_READING)
