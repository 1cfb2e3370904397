from __future__ import annotations

from pathlib import Path

import pytest

from bridge import profiles
from bridge.errors import ConfigError

SHIPPED = profiles.folders()[-1]
TEXT = (SHIPPED / "inverters" / "deye-lv.toml").read_text("utf-8")

POLL_AT = "[[answers]]\nid = 0x305\nperiod_s = 1.0\nmay_be_late_s = 60.0"
POLL = "[[polls]]\nid = 0x305\nperiod_s = 1.0\nmay_be_late_s = 60.0\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder for the user of each test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "config" / "packbridge" / "profiles"
    (folder / "inverters").mkdir(parents=True)
    (folder / "dialects").mkdir()
    return folder


def write(folder: Path, old: str, new: str) -> Path:
    """The Deye profile with one text replaced, as acme.toml."""
    assert old in TEXT
    path = folder / "acme.toml"
    path.write_text(TEXT.replace(old, new, 1), "utf-8")
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        profiles.load(str(path))
    prefix = f"{path}: "
    assert all(problem.startswith(prefix) for problem in caught.value.problems)
    return [problem.removeprefix(prefix) for problem in caught.value.problems]


def test_the_deye_profile_says_what_the_gateway_asks_it() -> None:
    deye = profiles.load("deye-lv")
    assert (deye.name, deye.dialect, deye.transport, deye.evidence) == (
        "deye-lv",
        "pylontech-lv",
        "can",
        "field",
    )
    assert (deye.bitrate, deye.period_s, deye.dead_man_s, deye.comm_fault_s) == (500_000, 1.0, 3.0, 5.0)
    assert deye.comm_fault_evidence == "assumed"
    assert deye.constants["manufacturer_name"] == "PYLON   "
    assert deye.unknown == {"current_a": 0.0, "soh_pct": 100.0, "temperature_c": 25.0}
    assert deye.stop == "pack-voltage"


def test_a_profile_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        profiles.load("deye-lv").bitrate = 1  # type: ignore[misc]


# Finding


def test_names_lists_what_is_shipped_and_what_is_the_users(home: Path) -> None:
    write(home / "inverters", 'family = "Deye', 'family = "Acme')
    shipped = {path.stem for path in (SHIPPED / "inverters").glob("*.toml")}
    assert len(shipped) > 20
    assert profiles.names() == sorted({"acme", *shipped})


def test_a_profile_of_the_user_loads_by_name_with_a_shipped_dialect(home: Path) -> None:
    write(home / "inverters", 'family = "Deye', 'family = "Acme')
    acme = profiles.load("acme")
    assert acme.family.startswith("Acme")
    assert profiles.dialect_path(acme) == SHIPPED / "dialects" / "pylontech-lv.dbc"


def test_the_users_own_profile_goes_before_a_shipped_one(home: Path) -> None:
    (home / "inverters" / "deye-lv.toml").write_text(
        TEXT.replace("period_s = 1.0", "period_s = 0.9", 1), "utf-8"
    )
    assert profiles.load("deye-lv").period_s == 0.9
    assert profiles.names().count("deye-lv") == 1


def test_a_profile_loads_by_path(tmp_path: Path) -> None:
    assert profiles.load(str(write(tmp_path, 'family = "Deye', 'family = "Acme'))).name == "acme"


def test_a_file_name_is_a_path_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 'family = "Deye', 'family = "Acme')
    monkeypatch.chdir(tmp_path)
    assert profiles.load("acme.toml").family.startswith("Acme")


def test_what_a_profile_need_not_say_has_the_cautious_default(tmp_path: Path) -> None:
    said = ("pad_to = 8 ", 'stop = "pack-voltage"', "hold_soc_ends = false")
    path = tmp_path / "acme.toml"
    path.write_text("\n".join(one for one in TEXT.splitlines() if not one.startswith(said)), "utf-8")
    acme = profiles.load(str(path))
    assert (acme.pad_to, acme.stop, acme.hold_soc_ends, acme.silence_after_s) == (8, "decided", False, None)
    assert [(one.length, one.extended) for one in acme.answers] == [(8, False)]


def test_a_profile_loaded_by_path_may_bring_its_dialect(tmp_path: Path) -> None:
    path = write(tmp_path, "pylontech-lv", "acme-can")
    (tmp_path / "acme-can.dbc").write_text("", "utf-8")
    assert profiles.dialect_path(profiles.load(str(path))) == tmp_path / "acme-can.dbc"


def test_the_users_own_dialect_is_found(home: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "pylontech-lv", "acme-can")
    own = home / "dialects" / "acme-can.dbc"
    own.write_text("", "utf-8")
    assert profiles.dialect_path(profiles.load(str(path))) == own


def test_an_unknown_dialect_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, "pylontech-lv", "pylontec-lv")
    with pytest.raises(ConfigError) as caught:
        profiles.dialect_path(profiles.load(str(path)))
    known = ", ".join(sorted(one.stem for one in (SHIPPED / "dialects").glob("*.dbc")))
    assert str(caught.value) == (
        f"{path}: dialect: unknown dialect 'pylontec-lv'; known: {known}. Did you mean \"pylontech-lv\"?"
    )


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(
        ConfigError,
        match=r'unknown profile \'deye-vl\'; known: afore, anenji-li4, .*\. Did you mean "deye-lv"\?',
    ):
        profiles.load("deye-vl")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        profiles.load(str(tmp_path / "none.toml"))


def test_without_a_home_only_what_is_shipped_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("HOME")
    assert profiles.folders() == [SHIPPED]


def test_the_home_is_used_where_no_configuration_folder_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert profiles.folders()[0] == Path("/home/somebody/.config/packbridge/profiles")


# Validation


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("period_s = 1.0", "perod_s = 1.0", 'Did you mean "period_s"?'),
        ("period_s = 1.0", "period_s = 0", "period_s: 0 should be greater than 0"),
        ("period_s = 1.0", "period_s = nan", "period_s: nan should be a finite number"),
        ("period_s = 1.0", "period_s = true", "period_s: True should be a valid number"),
        ("period_s = 1.0", 'period_s = "1"', "period_s: '1' should be a valid number"),
        ("period_s = 1.0", "period_s = 0.05", "spacing_s: 6 frames do not fit into period_s 0.05"),
        (
            "spacing_s = 0.01",
            "spacing_s = 0.01\nrepeat_gap_s = 0.6",
            "repeat_gap_s: 0.6 is more than half",
        ),
        ("dead_man_s = 3.0", "dead_man_s = 1.5", "dead_man_s: 1.5 is less than two periods of 1.0"),
        ("comm_fault_s = 5.0", "comm_fault_s = 1.0", "comm_fault_s: 1.0 would pass between two cycles"),
        (
            "comm_fault_s = 5.0",
            "comm_fault_s = 5.0\nreaction_s = 0.5",
            "reaction_s: 0.5 is less than the 1.0 between two cycles",
        ),
        ('transport = "can"', 'transport = "modbus"', "transport: 'modbus' should be 'can' or 'rs485'"),
        ("bitrate = 500_000", "bitrate = 500", "bitrate: 500 should be greater than or equal to 10000"),
        ("order = [0x351,", "order = [0x351, 0x351,", "order: an identifier stands twice"),
        ("order = [0x351,", "order = [-1,", "order[0]: -1 should be greater than or equal to 0"),
        ("pad_to = 8", "pad_to = 7", "pad_to: 7 should be 0 or 8"),
        ("id = 0x305", "id = 0x305\nlenght = 8", 'Did you mean "length"?'),
        ("may_be_late_s = 60.0", "", "answers[0].may_be_late_s: missing"),
        ('termination = "', 'terminator = "', 'Did you mean "termination"?'),
        (
            "[unknown]",
            "[ranges]\nsoc_pct = { min = 5, max = 1 }\n[unknown]",
            "ranges.soc_pct: min 5.0 is above max 1.0",
        ),
        ("[unknown]", "[ranges]\nsoc_pct = { mim = 5 }\n[unknown]", 'Did you mean "min"?'),
        (
            "[unknown]",
            "[ranges]\ncharge_current_limit_a = { min = 5 }\n[unknown]",
            "ranges.charge_current_limit_a: min 5.0 would turn no current into more than 0.1 A",
        ),
        ("pad_to = 8", "optional = [0x373]\npad_to = 8", "optional: 0x373 is not in order"),
        (
            "[unknown]",
            '[above]\ncharge_current_limit_a = { of = "soc_pct", by = 1 }\n[unknown]',
            "above.charge_current_limit_a: a limit is never raised",
        ),
        ("[unknown]", '[above]\nsoh_pct = { off = "soc_pct", by = 1 }\n[unknown]', 'Did you mean "of"?'),
        ("[unknown]", "[steps]\nsoc_pct = 0\n[unknown]", "steps.soc_pct: 0 should be greater than 0"),
        (
            "[unknown]",
            "[unknown]\ncharge_current_limit_a = 10",
            "unknown.charge_current_limit_a: a limit is always known",
        ),
        ('transport = "can"', 'transport = "can"\npath = "x"', "path: unknown key"),
        ("order = [0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E]", "order = []", "order: empty"),
        (POLL_AT, "[[polls]]\nid = 0x305\nsned = [0x351]", 'Did you mean "send"?'),
        (POLL_AT, POLL + 'data = "1"', "polls[0].data: '1' String should match pattern"),
        (POLL_AT, POLL + 'data = "01 02"\nlength = 1', "polls[0].data: more than its 1 bytes"),
        (POLL_AT, POLL + 'when = ["closed"]', "polls[0].when: there is no state 'closed' in states"),
        (POLL_AT, POLL + 'then = "closed"', "polls[0].then: there is no state 'closed' in states"),
        (POLL_AT, "[states]\nopen = {}\n\n" + POLL_AT, "forget_after_s: missing"),
        ("pad_to = 8", "waits_for_inverter = true\npad_to = 8", "forget_after_s: missing"),
        (POLL_AT, "[[slow]]\nperiod_s = 10\norder = []\n\n" + POLL_AT, "slow[0].order: () "),
        ('transport = "can"', "transport = ", "at line"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert complaint in "\n".join(problems(write(tmp_path, old, new)))


def test_all_mistakes_of_a_file_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_text(
        TEXT.replace("bitrate =", "bitrat =").replace("period_s = 1.0", "period_s = -1", 1), "utf-8"
    )
    assert [problem.split(":")[0] for problem in sorted(problems(path))] == ["bitrat", "bitrate", "period_s"]


def test_all_contradictions_of_a_file_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_text(
        TEXT.replace("dead_man_s = 3.0", "dead_man_s = 1").replace("comm_fault_s = 5.0", "comm_fault_s = 1")
    )
    assert [problem.split(":")[0] for problem in problems(path)] == ["dead_man_s", "comm_fault_s"]


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert len(problems(path)) == 1
