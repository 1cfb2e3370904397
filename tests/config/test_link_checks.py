"""How packs and balancers are reached: what is refused, with the messages in full."""

from __future__ import annotations

import pytest

from bridge.config import AccessoryConfig, parse
from bridge.protocols import contract
from bridge.protocols.contract import Options
from tests.config.samples import GOOD, complaints, one, spoilt


def test_an_unknown_protocol_is_refused_with_the_known_ones() -> None:
    known = ", ".join(contract.names())
    assert complaints(spoilt('"jbd"', '"jdb"')) == [
        f"c.toml:9: pack.bms: unknown protocol 'jdb'; known: {known}. Did you mean \"jbd\"?"
    ]


PORTS = [
    ("ttyUSB0", 'write the full path, as in "/dev/ttyUSB0"'),
    ("COM3", "write one of these"),
    ("ftp://host:21", "that scheme is not supported"),
    ("socket://host", 'write host and port number, as in "socket://192.168.1.20:8899"'),
    ("socket://host:port", 'write host and port number, as in "socket://192.168.1.20:8899"'),
    ("rfc2217://:4000", 'write host and port number, as in "rfc2217://192.168.1.20:8899"'),
    ("rfc2217://host:99999", 'write host and port number, as in "rfc2217://192.168.1.20:8899"'),
]


@pytest.mark.parametrize(("port", "advice"), PORTS)
def test_a_port_of_no_known_form_is_refused(port: str, advice: str) -> None:
    assert complaints(spoilt("/dev/ttyUSB0", port)) == [
        (
            f'c.toml:12: packs.garage.port: found "{port}"; allowed: a device path such as '
            "/dev/serial/by-id/..., socket://HOST:PORT, rfc2217://HOST:PORT, ble:AA:BB:CC:DD:EE:FF or "
            f"ble:NAME; {advice}"
        )
    ]


@pytest.mark.parametrize(
    "port", ["/dev/serial/by-id/usb-1", "socket://10.0.0.2:8899", "rfc2217://[::1]:4000"]
)
def test_a_port_of_a_known_form_is_taken_as_it_is_written(port: str) -> None:
    assert parse(spoilt("/dev/ttyUSB0", port), "c.toml").packs[0].port == port


@pytest.mark.usefixtures("more_protocols")
def test_a_protocol_that_no_serial_port_carries_is_refused_on_one() -> None:
    assert complaints(spoilt('"jbd"', '"radio"'))[0] == (
        "c.toml:12: packs.garage.port: found a serial port; radio is spoken over: ble, can; write "
        "ble:AA:BB:CC:DD:EE:FF, ble:NAME, can:can0 or can:INTERFACE:CHANNEL"
    )


@pytest.mark.usefixtures("more_protocols")
def test_an_address_outside_the_protocols_range_is_refused() -> None:
    text = spoilt('"jbd"', '"party"').replace("= 280", "= 280\naddress = 16")
    assert complaints(text) == ["c.toml:14: packs.garage.address: found 16; allowed for party: 1 to 15"]


@pytest.mark.usefixtures("more_protocols")
def test_an_address_for_a_protocol_without_addresses_is_refused() -> None:
    text = spoilt('"jbd"', '"radio"').replace("= 280", "= 280\naddress = 3")
    assert "c.toml:14: packs.garage.address: found 3; radio has no addresses; remove it" in complaints(text)


MAC = "A4:C1:38:04:2D:BE"
BLE = f"ble:{MAC}"


def options(text: str) -> Options:
    (pack,) = parse(text, "c.toml").packs
    return pack.options


@pytest.mark.parametrize(
    ("bms", "port", "link"),
    [
        ("jbd", "ble:xiaoxiang BMS?adapter=hci1", "ble:xiaoxiang BMS?adapter=hci1"),
        ("jk", BLE, BLE),
        ("daly-can", "can:can1", "socketcan:can1"),
        ("daly-can", "can:slcan:/dev/ttyACM0", "slcan:/dev/ttyACM0"),
    ],
)
def test_a_port_in_the_air_or_on_a_bus_is_taken_and_names_its_wire(bms: str, port: str, link: str) -> None:
    (pack,) = parse(one(bms, port), "c.toml").packs
    assert (pack.port, pack.link) == (port, link)


@pytest.mark.parametrize(
    ("bms", "port", "problem"),
    [
        (
            "jbd",
            "ble:",
            (
                'found "ble:"; write "ble:AA:BB:CC:DD:EE:FF" or "ble:NAME", with "?adapter=hci1" behind '
                "it to choose an adapter"
            ),
        ),
        (
            "jbd",
            "ble:JBD-1?adapter=1",
            'found "?adapter=1" in "ble:JBD-1?adapter=1"; only ?adapter=hci0, hci1, ... may stand there',
        ),
        (
            "daly-can",
            "can:",
            (
                'found "can:"; write "can:can0", or "can:INTERFACE:CHANNEL" for another interface, as in '
                '"can:slcan:/dev/ttyACM0"'
            ),
        ),
        (
            "jbd",
            "can:can0",
            (
                "found a CAN bus; jbd is spoken over: serial, ble; write a device path such as "
                "/dev/serial/by-id/..., socket://HOST:PORT, rfc2217://HOST:PORT, "
                "ble:AA:BB:CC:DD:EE:FF or ble:NAME"
            ),
        ),
        (
            "daly-can",
            "ble:DL-1",
            "found a Bluetooth device; daly-can is spoken over: can; write can:can0 or can:INTERFACE:CHANNEL",
        ),
    ],
)
def test_a_port_that_can_not_be_is_refused_with_what_can(bms: str, port: str, problem: str) -> None:
    assert complaints(one(bms, port)) == [f"c.toml:3: packs.garage.port: {problem}"]


def test_an_interface_that_python_can_does_not_know_is_refused() -> None:
    (problem,) = complaints(one("daly-can", "can:sockecan:can0"))
    assert problem.startswith(
        'c.toml:3: packs.garage.port: found "can:sockecan:can0"; unknown interface "sockecan"; known: '
    )
    assert problem.endswith('. Did you mean "socketcan"?')


@pytest.mark.parametrize(
    ("bms", "port", "what"),
    [("jbd", "ble:JBD-1", "a Bluetooth device"), ("daly-can", "can:can1", "a CAN bus")],
)
def test_a_baud_rate_is_for_serial_ports_only(bms: str, port: str, what: str) -> None:
    assert complaints(one(bms, port, "baudrate = 9600")) == [
        f"c.toml:7: packs.garage.baudrate: found 9600; {what} has no baud rate; remove it"
    ]


def test_the_address_in_a_port_is_the_packs_mac() -> None:
    assert options(one("jbd", "ble:a4-c1-38-04-2d-be")).mac == MAC


def test_a_name_in_a_port_leaves_the_mac_to_be_written() -> None:
    assert options(one("jbd", "ble:JBD-1")).mac is None
    assert options(one("jbd", "ble:JBD-1", f'mac = "{MAC.lower()}"')).mac == MAC


@pytest.mark.parametrize(
    ("bms", "port", "mac", "problem"),
    [
        (
            "jbd",
            "ble:JBD-1",
            "A4:C1",
            (
                'found "A4:C1"; allowed: six pairs of hexadecimal digits; write for example '
                'mac = "AA:BB:CC:DD:EE:FF"'
            ),
        ),
        (
            "jbd",
            BLE,
            "A4:C1:38:04:2D:BF",
            f'found "A4:C1:38:04:2D:BF", but port says {MAC}; remove one of them',
        ),
        (
            "daly-d2",
            "ble:DL-1",
            "A4:C1:38",
            (
                'found "A4:C1:38"; allowed: six pairs of hexadecimal digits; write for example '
                'mac = "AA:BB:CC:DD:EE:FF"'
            ),
        ),
        ("jk", "ble:JK-1", MAC, "jk does not ask for it; remove it"),
    ],
)
def test_a_mac_that_can_not_be_or_does_nothing_is_refused(
    bms: str, port: str, mac: str, problem: str
) -> None:
    assert complaints(one(bms, port, f'mac = "{mac}"')) == [f"c.toml:7: packs.garage.mac: {problem}"]


def test_a_password_is_handed_to_the_session_and_shown_nowhere() -> None:
    found = parse(one("jbd", BLE, 'password = "s3cret"'), "c.toml")
    assert found.packs[0].options.password == "s3cret"
    assert "s3cret" not in repr(found)


def test_a_password_for_a_protocol_that_asks_for_none_is_refused_without_showing_it() -> None:
    assert complaints(one("jk", "ble:JK-1", 'password = "s3cret"')) == [
        "c.toml:7: packs.garage.password: jk is read without a password; remove it"
    ]


def test_a_password_that_the_protocol_can_not_use_is_refused_without_showing_it() -> None:
    assert complaints(one("jbd", BLE, 'password = "s3cret!"')) == [
        "c.toml:7: packs.garage.password: password: a JBD board's has six letters or digits"
    ]


def test_a_password_without_quotes_is_refused_without_showing_it() -> None:
    assert complaints(one("jbd", BLE, "password = 271828")) == [
        (
            "c.toml:7: packs.garage.password: found something that is not shown here; allowed: a text in "
            'quotes; write it in quotes, for example password = "a1b2c3"'
        )
    ]


def test_a_password_over_a_name_needs_the_mac_too() -> None:
    assert complaints(one("jbd", "ble:JBD-1", 'password = "s3cret"')) == [
        (
            "c.toml:1: packs.garage.mac: missing; with a password jbd needs the address of the radio module; "
            'write for example mac = "AA:BB:CC:DD:EE:FF", or the address in port'
        )
    ]


PORT = "/dev/ttyUSB0"


def test_options_of_a_protocol_reach_its_session() -> None:
    text = one(
        "daly-a5", PORT, "[packs.garage.options]\nhost = 0x80\ncurrent_sign = -1\ninvert_current = true"
    )
    assert options(text).extra == {"host": 0x80, "current_sign": -1, "invert_current": True}


def test_a_packs_own_options_go_over_the_shared_ones_one_by_one() -> None:
    shared = "[pack.options]\nhost = 0x40\ncurrent_sign = 1\n"
    text = shared + one("daly-a5", PORT, "[packs.garage.options]\nhost = 0x80")
    assert options(text).extra == {"host": 0x80, "current_sign": 1}


def test_an_option_that_the_protocol_does_not_know_is_refused_with_the_known_ones() -> None:
    assert complaints(one("daly-p81", PORT, "[packs.garage.options]\ncurent_sign = 1")) == [
        (
            "c.toml:8: packs.garage.options.curent_sign: unknown option; daly-p81 knows: current_sign, "
            'invert_current. Did you mean "current_sign"?'
        )
    ]


def test_a_protocol_without_options_says_so() -> None:
    assert complaints(one("jk-nw", PORT, "options = { listen = true }")) == [
        "c.toml:7: packs.garage.options.listen: unknown option; jk-nw knows: none"
    ]


def test_a_password_among_the_options_is_sent_to_its_place() -> None:
    assert complaints(one("jbd", BLE, '[packs.garage.options]\npassword = "s3cret"')) == [
        (
            "c.toml:8: packs.garage.options.password: not an option but a key of its own; "
            "write it below [packs.garage]"
        )
    ]


@pytest.mark.parametrize(("value", "found"), [("[1]", "a list"), ("{ x = 1 }", "a table"), ("nan", "nan")])
def test_an_option_holds_a_single_value(value: str, found: str) -> None:
    assert complaints(one("daly-a5", PORT, f"options = {{ host = {value} }}")) == [
        (
            f"c.toml:7: packs.garage.options.host: found {found}; allowed: a text, a number, true or false; "
            "what it means is listed under the options of its protocol"
        )
    ]


@pytest.mark.parametrize(
    ("bms", "option", "problem"),
    [
        ("daly-a5", "host = 0x20", "host = 32: must be 0x40 or 0x80"),
        ("daly-a5", "fill = 256", "fill = 256: must be 0..255"),
        ("daly-d2", "status_registers = 70", "status_registers = 70: must be 62 or 80"),
        ("jk-pb", 'listen = "yes"', "listen = 'yes': must be true or false"),
    ],
)
def test_a_value_that_only_the_protocol_can_judge_is_refused_at_its_line(
    bms: str, option: str, problem: str
) -> None:
    name = option.split(" ", maxsplit=1)[0]
    assert complaints(one(bms, PORT, f"[packs.garage.options]\n{option}")) == [
        f"c.toml:8: packs.garage.options.{name}: {problem}"
    ]


@pytest.mark.usefixtures("more_protocols")
def test_a_shared_option_is_blamed_where_it_is_written() -> None:
    text = "[pack.options]\npace = 3\n" + one("party", PORT)
    assert complaints(text) == ["c.toml:2: pack.options.pace: pace = 3: must be 1 or 2"]


def test_a_master_can_only_be_listened_to() -> None:
    assert complaints(one("jk-pb", PORT, "address = 0")) == [
        (
            "c.toml:7: packs.garage.address: found 0, a master, which can only be listened to; allowed for "
            "jk-pb: 1 to 15, and 0 with listen = true below its options"
        )
    ]
    assert options(one("jk-pb", PORT, "address = 0\noptions = { listen = true }")).address == 0


def test_address_0_is_out_of_range_where_nothing_is_listened_to() -> None:
    assert complaints(one("jk-modbus", PORT, "address = 0")) == [
        "c.toml:7: packs.garage.address: found 0; allowed for jk-modbus: 1 to 15"
    ]


def balanced(balancer: str, bms: str = "jbd", port: str = PORT) -> str:
    return one(bms, port, f"[packs.garage.balancer]\n{balancer}")


def test_a_balancer_is_an_accessory_of_its_pack() -> None:
    (pack,) = parse(balanced(f'bms = "neey"\nport = "{BLE}"'), "c.toml").packs
    assert pack.balancer == AccessoryConfig(bms="neey", port=BLE, options=Options(cells=16, mac=MAC))
    assert pack.balancer.link == BLE


def test_a_pack_without_a_balancer_has_none() -> None:
    assert parse(GOOD, "c.toml").packs[0].balancer is None


def test_a_balancer_is_no_pack() -> None:
    assert complaints(one("neey", BLE)) == [
        (
            "c.toml:2: packs.garage.bms: neey is an accessory and no BMS: it knows neither current nor "
            "permission; write here what the pack's BMS speaks, and neey below [packs.garage.balancer]"
        )
    ]


def test_a_bms_is_no_balancer() -> None:
    assert complaints(balanced(f'bms = "jk"\nport = "{BLE}"')) == [
        (
            "c.toml:8: packs.garage.balancer.bms: jk is a BMS and no accessory; accessories are: neey; "
            "give a pack of its own a table [packs.NAME]"
        )
    ]


@pytest.mark.parametrize(
    ("balancer", "problem"),
    [
        (
            f'port = "{BLE}"',
            (
                "c.toml:7: packs.garage.balancer.bms: missing; allowed: a text in quotes; "
                'write for example bms = "neey"'
            ),
        ),
        (
            'bms = "neey"',
            (
                "c.toml:7: packs.garage.balancer.port: missing; allowed: a text in quotes; "
                'write for example port = "ble:AA:BB:CC:DD:EE:FF"'
            ),
        ),
        (
            'bms = "neey"\nport = "/dev/ttyUSB1"',
            (
                "c.toml:9: packs.garage.balancer.port: found a serial port; "
                "neey is spoken over: ble; write ble:AA:BB:CC:DD:EE:FF or ble:NAME"
            ),
        ),
        (
            f'bms = "neey"\nport = "{BLE}"\ncells = 16',
            ("c.toml:10: packs.garage.balancer.cells: unknown key here; it belongs under [packs.NAME]"),
        ),
        (
            f'bms = "neey"\nport = "{BLE}"\nname = 1',
            ("c.toml:10: packs.garage.balancer.name: unknown key; known here: bms, options, port"),
        ),
        (
            f'bms = 3\nport = "{BLE}"',
            (
                "c.toml:8: packs.garage.balancer.bms: found 3; allowed: a text in quotes; "
                'write it in quotes, for example bms = "neey"'
            ),
        ),
        (
            f'bms = "neey"\nport = "{BLE}"\noptions = {{ xored = true }}',
            ("c.toml:10: packs.garage.balancer.options.xored: unknown option; neey knows: none"),
        ),
    ],
)
def test_what_is_wrong_with_a_balancer_is_said_as_of_a_pack(balancer: str, problem: str) -> None:
    assert complaints(balanced(balancer)) == [problem]


def test_a_value_where_a_balancer_is_expected_is_put_right() -> None:
    assert complaints(one("jbd", PORT, 'balancer = "neey"')) == [
        (
            'c.toml:7: packs.garage.balancer: found "neey"; allowed: a table; write for example '
            'balancer = { bms = "neey", port = "ble:AA:BB:CC:DD:EE:FF" }'
        )
    ]


def test_a_balancer_belongs_to_one_pack() -> None:
    text = f'[pack.balancer]\nbms = "neey"\nport = "{BLE}"\n' + one("jbd", PORT)
    assert complaints(text) == ["c.toml:1: pack.balancer: unknown key here; it belongs under [packs.NAME]"]


def test_a_daly_without_a_rating_is_told_that_its_bms_tells_none() -> None:
    text = one("daly-p81", PORT).replace("rated_current_a = 140", "")
    assert complaints(text) == [
        (
            "c.toml:1: packs.garage.rated_current_a: missing; a pack without a rating has no limit to go by, "
            "and a Daly BMS tells none; write what its BMS may carry all day, for example "
            "rated_current_a = 140 for both directions"
        )
    ]
