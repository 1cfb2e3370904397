from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CELLS = "dd0400080f450f3d0f370f3dfec677"
COMMAND = [sys.executable, "-c", "from bridge.cli.main import main; main()", "decode"]


def _run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], input=given, capture_output=True, text=True, check=False)


def _json(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_standard_input_is_decoded_to_one_json_object_a_line() -> None:
    done = _run("jbd", given=f">dda50400fffc77\n<{CELLS}\n")
    assert _json(done.stdout) == [
        {
            "message": "cells",
            "cell_count": 4,
            "cell_voltages_v": [3.909, 3.901, 3.895, 3.901],
            "raw": {"command": 4, "status": 0},
        }
    ]
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_file_is_decoded(tmp_path: Path) -> None:
    capture = tmp_path / "capture.txt"
    capture.write_text(f"# a pack\n{CELLS}\n")
    assert _json(_run("jbd", str(capture)).stdout) == _json(_run("jbd", "-", given=CELLS).stdout)


def test_input_without_any_message_ends_with_1() -> None:
    done = _run("jbd", given="00112233\n")
    assert _json(done.stdout) == [{"error": "noise", "bytes": 4}]
    assert done.returncode == 1


def test_no_input_ends_with_1_and_says_nothing() -> None:
    done = _run("jbd")
    assert (done.stdout, done.returncode) == ("", 1)


def test_a_line_that_is_no_chunk_is_complained_of_on_standard_error() -> None:
    done = _run("jbd", given=f"what is this\n{CELLS}\n")
    assert _json(done.stderr) == [{"error": "line", "line": 1, "text": "what is this"}]
    assert len(_json(done.stdout)) == 1
    assert done.returncode == 0


def test_bytes_that_are_no_text_are_bad_lines(tmp_path: Path) -> None:
    capture = tmp_path / "capture.bin"
    capture.write_bytes(b"\xff\xfe\x00\n" + CELLS.encode() + b"\n")
    done = _run("jbd", str(capture))
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_protocol_ends_with_2_and_names_the_known_ones() -> None:
    done = _run("jdb", given=CELLS)
    assert done.returncode == 2
    assert "unknown protocol 'jdb'" in done.stderr
    assert 'Did you mean "jbd"?' in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("path", ["/nowhere/capture.txt", "/"])
def test_a_file_that_cannot_be_read_ends_with_2_and_says_why(path: str) -> None:
    done = _run("jbd", path)
    assert done.returncode == 2
    assert f"{path}: cannot be read: " in done.stderr
    assert "Traceback" not in done.stderr


def test_output_comes_while_input_is_still_open() -> None:
    with subprocess.Popen(
        [*COMMAND, "jbd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(CELLS + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["message"] == "cells"
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_help_ends_with_examples() -> None:
    done = _run("--help")
    assert done.returncode == 0
    assert "packbridge decode jbd" in done.stdout


def test_both_directions_are_read_of_what_inverters_ask_in() -> None:
    """The exchange of dnc392/rs485-bms-probe: a JK BMS in its mode 007 has 8 cells."""
    done = _run("voltronic-lib", given=">01 03 00 10 00 01 85 CF\n<01 03 00 01 00 08 15 CC\n")
    question, answer = _json(done.stdout)
    assert (question["address"], question["sent"]) == (1, True)
    assert "sent" not in answer
    assert answer["cell_count"] == 8
    assert done.returncode == 0


def test_a_register_map_is_named_for_modbus(tmp_path: Path) -> None:
    question, answer = "01 03 00 15 00 01 95 CE", "01 03 02 00 3C B8 55"
    done = _run("modbus", "--map", "growatt-1xsxxp", given=f">{question}\n<{answer}\n")
    asked, answered = _json(done.stdout)
    assert (asked["sent"], answered["soc_pct"]) == (True, 60)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("modbus",), "whose registers? write --map NAME"),
        (("modbus", "--map", "growat-1xsxxp"), "growatt-1xsxxp"),
        (("kostal", "--map", "pace"), "kostal has no register maps"),
        (("jbd", "--map", "pace"), "--map goes with modbus; jbd has no register maps"),
        (("kostl",), 'Did you mean "kostal"?'),
    ],
)
def test_a_map_that_can_not_be_is_said(arguments: tuple[str, ...], text: str) -> None:
    done = _run(*arguments)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_noise_between_two_directions_is_said_and_not_raised() -> None:
    done = _run("pylontech-rs485", given=">7E32\nzz\n<00FF\n")
    assert [one.get("error") for one in _json(done.stdout)] != []
    assert json.loads(done.stderr) == {"error": "line", "line": 2, "text": "zz"}
    assert done.returncode == 1
