"""A bench of adapters for hil/, as a file names it: the part that needs no bench."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil import guest, rig
from hil.rig import End, Rig, RigError
from hil.stalls import Stalls

EXAMPLE = Path(rig.__file__).with_name("rig.example.toml")


def test_the_example_is_right_and_what_it_stands_for_is_not_committed() -> None:
    assert rig.load(EXAMPLE) == Rig(End("socketcan", "can0"), End("socketcan", "can1"))
    assert "hil/rig.toml" in (EXAMPLE.parents[1] / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[peer]", "[other]", "found gateway, other; write [gateway] and [peer]"),
        ("[gateway]", "[gateway", "rig.toml: "),
        ("bitrate = 500_000", "bitrate = 250_000", "gateway.bitrate: found 250000; the tests need 500000"),
        ("bitrate = 500_000", "bitrate = true", "gateway.bitrate: found True; allowed: int"),
        ('channel = "can0"', "channel = 0", "gateway.channel: found 0; allowed: str"),
        ('channel = "can0"', "", "gateway: write exactly interface, channel, bitrate"),
    ],
)
def test_what_is_wrong_with_a_bench_is_said_with_file_and_key(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    file = tmp_path / "rig.toml"
    file.write_text(EXAMPLE.read_text().replace(f"\n{before}", f"\n{after}", 1))
    with pytest.raises(RigError) as wrong:
        rig.load(file)
    assert said in str(wrong.value)
    assert str(file) in str(wrong.value)


def test_a_bench_counts_before_the_guest_and_without_both_there_is_no_rig(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(guest.MARK, raising=False)
    monkeypatch.delenv(rig.VARIABLE, raising=False)
    assert rig.here() is None
    monkeypatch.setenv(guest.MARK, "1")
    assert rig.here() == rig.GUEST
    monkeypatch.setenv(rig.VARIABLE, str(EXAMPLE))
    found = rig.here()
    assert found is not None
    assert (found.native, found.gateway.channel) == (True, "can0")


def test_a_stretch_is_charged_what_the_machine_stood_still_in_it_and_once() -> None:
    watched = Stalls()
    watched.close()
    watched.seen[:] = [(10.5, 11.0), (10.0, 10.75), (12.0, 14.0)]
    assert watched.within_s(9.0, 10.0) == 0
    assert watched.within_s(9.0, 11.5) == 1.0
    assert watched.within_s(10.75, 13.0) == 1.25
    assert watched.within_s(12.5, 13.0) == 0.5
