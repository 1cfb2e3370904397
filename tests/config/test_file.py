from __future__ import annotations

from pathlib import Path

import pytest

from bridge.config import CanInverter, Config, GatewayConfig, LogConfig, load, parse
from bridge.errors import ConfigError
from bridge.model import BankSettings, PackSettings
from tests.config.samples import GOOD, complaints, spoilt


def good() -> Config:
    return parse(GOOD, "c.toml")


def test_a_good_file_gives_no_warning() -> None:
    assert good().warnings == ()


def test_what_is_not_written_is_the_default_of_the_settings() -> None:
    garage = good().packs[0].settings
    assert garage == PackSettings(
        name="garage", cells=16, capacity_ah=280, rated_charge_current_a=140, rated_discharge_current_a=140
    )


def test_packs_keep_the_order_of_the_file() -> None:
    assert [pack.name for pack in good().packs] == ["garage", "attic"]


def test_the_bank_is_read() -> None:
    assert good().bank == BankSettings(max_charge_current_a=180)


def test_the_gateway_is_read() -> None:
    text = spoilt('name = "cellar"', 'name = "cellar"\nlog_level = "debug"\nlog_format = "json"')
    expected = GatewayConfig(name="cellar", log=LogConfig(level="debug", format="json"))
    assert parse(text, "c.toml").gateway == expected


def test_the_inverter_is_read() -> None:
    expected = CanInverter(name="house", profile="deye-lv", interface="socketcan", channel="can0")
    assert good().inverters == (expected,)


def test_a_packs_own_value_goes_over_the_shared_one() -> None:
    text = spoilt("capacity_ah = 100", "capacity_ah = 100\ncell_charge_v = 3.40")
    text = text.replace("[pack]", "[pack]\ncell_charge_v = 3.42\ncell_min_v = 3")
    garage, attic = (pack.settings for pack in parse(text, "c.toml").packs)
    assert (garage.cell_charge_v, attic.cell_charge_v) == (3.42, 3.40)
    assert (garage.cell_min_v, attic.cell_min_v) == (3, 3)


def test_a_rating_for_one_direction_goes_over_the_rating_for_both() -> None:
    text = spoilt("rated_current_a = 140", "rated_discharge_current_a = 120\nrated_current_a = 140")
    garage = parse(text, "c.toml").packs[0].settings
    assert (garage.rated_charge_current_a, garage.rated_discharge_current_a) == (140, 120)


def test_a_packs_rating_for_both_goes_over_a_shared_rating_for_one_direction() -> None:
    text = spoilt("cells = 16", "cells = 16\nrated_charge_current_a = 10")
    assert parse(text, "c.toml").packs[0].settings.rated_charge_current_a == 140


@pytest.mark.parametrize(("limit_v", "cell_charge_v"), [(54.4, 3.4), (56.8, 3.45)])
def test_the_banks_voltage_limit_can_only_lower_the_cells_charge_voltage(
    limit_v: float, cell_charge_v: float
) -> None:
    text = spoilt("max_charge_current_a = 180", f"charge_voltage_limit_v = {limit_v}")
    assert {pack.settings.cell_charge_v for pack in parse(text, "c.toml").packs} == {cell_charge_v}


@pytest.mark.usefixtures("more_protocols")
def test_address_and_baud_rate_come_from_the_protocol_if_they_are_not_written() -> None:
    text = spoilt('bms = "jbd"', 'bms = "party"').replace("= 280", "= 280\naddress = 7\nbaudrate = 115200")
    garage, attic = parse(text, "c.toml").packs
    assert (garage.options.address, garage.baudrate) == (7, 115200)
    assert (attic.options.address, attic.baudrate) == (1, 19200)


def test_a_profiles_path_begins_at_the_folder_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(spoilt('"deye-lv"', '"./nothing.toml"'))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(tmp_path / "nothing.toml") in caught.value.problems[0]


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert load(path).packs[0].name == "garage"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"c\.toml: No such file or directory; write the path of a TOML file"
    ):
        load(tmp_path / "c.toml")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Is a directory"):
        load(tmp_path)


def test_a_file_in_another_encoding_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes("# one\n# Küche\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"c\.toml:2: not UTF-8; save the file as UTF-8 text"):
        load(path)


def test_a_unit_behind_a_number_is_explained() -> None:
    assert complaints(spoilt("= 280", "= 280 Ah")) == [
        (
            "c.toml:13: not TOML: expected newline or end of document after a statement at column 19; "
            "write texts "
            'in quotes, numbers without a unit: port = "/dev/ttyUSB0", capacity_ah = 280'
        )
    ]


def test_a_text_that_ends_too_early_is_blamed_on_its_last_line() -> None:
    assert complaints("[pack]\ncells =")[0].startswith("c.toml:2: not TOML: invalid value at the end; ")


def test_a_number_of_thousands_of_digits_is_refused_like_any_other_slip() -> None:
    assert complaints("[bank]\njoin_s = 1" + "0" * 5000)[0].startswith(
        "c.toml:2: not TOML: exceeds the limit"
    )


def test_a_key_written_twice_is_refused_with_its_line() -> None:
    assert complaints(spoilt("cells = 16", "cells = 16\ncells = 15"))[0].startswith(
        "c.toml:9: not TOML: cannot"
    )


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    text = spoilt("cells = 16", 'cells = "16"').replace("= 280", "= 0").replace('"can0"', '"can0"\nspeed = 1')
    text = (
        text.replace('"/dev/ttyUSB1"', '"COM3"').replace("socketcan", "sockecan").replace("deye-lv", "dye-lv")
    )
    lines = [problem.split(": ")[0] for problem in complaints(text)]
    assert lines == [f"c.toml:{line}" for line in (8, 13, 17, 23, 24, 26)]


def test_an_empty_file_lacks_a_pack() -> None:
    assert complaints("") == [
        "c.toml: packs: there is no pack; write a table [packs.NAME] for each pack of the bank"
    ]
