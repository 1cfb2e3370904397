"""What the frames of an active balancer say, and under which names.

One idea: a message is told by its command and its length; only the cell information is more than a table
of offsets (`_neey_cells`). Offsets are those of the whole frame, floats are rounded to what they can
resolve.

Sources: syssi/esphome-jk-bms components/heltec_balancer_ble and docs/neey-* (captures);
patman15/aiobmsble aiobmsble/bms/neey_bms.py.
"""

from __future__ import annotations

from bridge.model import Reading
from bridge.protocols import _neey_cells as cells
from bridge.protocols import _neey_frames as frames
from bridge.protocols._neey_cells import Content, f32
from bridge.protocols._neey_frames import Command
from bridge.protocols._stream import BadFrame
from bridge.protocols.contract import Drop, Message, Raw

_NAMES = {
    Command.DEVICE_INFO: "device_info",
    Command.CELL_INFO: "cell_info",
    Command.FACTORY_DEFAULTS: "factory_defaults",
    Command.SETTINGS: "settings",
}
DEVICE_INFO, CELL_INFO, FACTORY_DEFAULTS, SETTINGS = _NAMES.values()
ACKNOWLEDGEMENT = "acknowledgement"

_SIZES = {
    Command.DEVICE_INFO: (100,),
    Command.CELL_INFO: (300,),
    Command.FACTORY_DEFAULTS: (100,),
    Command.SETTINGS: (100, 150),
}


def decode(whole: bytes, expected: cells.Layout | None = None) -> Message:
    """The message in a checked frame; raises BadFrame for a request or for what cannot be true.

    expected: the layout of the model, where it has said its name.
    """
    if whole.startswith(frames.REQUEST):
        raise BadFrame(Drop.ECHO)
    function, command, register = whole[3], whole[4], whole[5]
    raw: dict[str, Raw] = {"function": function, "command": command, "length": len(whole)}
    if len(whole) == frames.REQUEST_SIZE:
        return Message(ACKNOWLEDGEMENT, Reading(), raw | {"ack": True, "register": register})
    if function != frames.READ or command not in _NAMES:
        raise BadFrame(Drop.UNKNOWN, f"function {function}, command {command}")
    kind = Command(command)
    if len(whole) not in _SIZES[kind]:
        raise BadFrame(Drop.LENGTH, f"{_NAMES[kind]} of {len(whole)} bytes")
    reading, content = cells.read(whole, expected) if kind is Command.CELL_INFO else _READERS[kind](whole)
    return Message(_NAMES[kind], reading, raw | dict(content))


def _device_info(whole: bytes) -> Content:
    # bytes 64 and on hold the radio's address and a PIN on some boards: not read
    return Reading(), {
        "model": _text(whole[8:24]),
        "hardware": _text(whole[24:32]),
        "software": _text(whole[32:40]),
        "protocol": _text(whole[40:48]),
        "manufactured": _text(whole[48:56]),
        "power_on_count": int.from_bytes(whole[56:60], "little"),
        "total_runtime_s": int.from_bytes(whole[60:64], "little"),
    }


def _settings(whole: bytes) -> Content:
    return _settings_v2(whole) if len(whole) == 150 else _settings_v1(whole)


def _settings_v1(whole: bytes) -> Content:
    return Reading(cell_count=whole[8]), {
        "trigger_delta_v": f32(whole, 9, 4),
        "max_balance_current_a": f32(whole, 13, 3),
        "stop_voltage_v": f32(whole, 17, 3),
        "balancer_enabled": bool(whole[21]),
        "buzzer_mode": whole[22],
        "battery_type": whole[23],
        "capacity_ah": int.from_bytes(whole[24:28], "little"),
        "start_voltage_v": f32(whole, 28, 3),
        "device_address": whole[32],
        "stop_delta_v": f32(whole, 33, 4),
    }


def _settings_v2(whole: bytes) -> Content:
    return Reading(cell_count=whole[9]), {
        "capacity_ah": f32(whole, 10, 3),
        "trigger_delta_v": f32(whole, 14, 4),
        "stop_voltage_v": f32(whole, 22, 3),
        "start_voltage_v": f32(whole, 26, 3),
        "max_balance_current_a": f32(whole, 30, 3),
        "cell_ovp_v": f32(whole, 34, 3),
        "cell_uvp_v": f32(whole, 42, 3),
        "charge_ocp_a": f32(whole, 62, 3),
        "discharge_ocp_a": f32(whole, 70, 3),
        "charge_otp_c": f32(whole, 94, 2),
        "charge_utp_c": f32(whole, 102, 2),
        "discharge_otp_c": f32(whole, 110, 2),
        "discharge_utp_c": f32(whole, 118, 2),
        "balancer_enabled": bool(whole[126]),
        "buzzer_mode": whole[127],
        "battery_type": whole[128],
    }


def _factory_defaults(whole: bytes) -> Content:
    return Reading(), {
        "std_voltage_1_v": f32(whole, 8, 4),
        "std_voltage_2_v": f32(whole, 12, 4),
        "battery_voltage_1_v": f32(whole, 16, 4),
        "battery_voltage_2_v": f32(whole, 20, 4),
        "max_temperature_c": f32(whole, 56, 2),
        "min_temperature_c": f32(whole, 60, 2),
        "power_on_count": int.from_bytes(whole[64:68], "little"),
        "total_runtime_s": int.from_bytes(whole[68:72], "little"),
        "manufactured": _text(whole[72:80]),
    }


_READERS = {
    Command.DEVICE_INFO: _device_info,
    Command.FACTORY_DEFAULTS: _factory_defaults,
    Command.SETTINGS: _settings,
}


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace").strip()
