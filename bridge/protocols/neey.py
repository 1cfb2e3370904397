"""NEEY, Heltec and EnerKey active balancers over BLE: an accessory of a pack, never a pack by itself.

It measures cells and moves charge between them. It has no current sensor worth the name, no switches and
no say in what may be charged, so a reading of it is cells, temperatures and whether it balances; what the
bigger models claim beyond that is only shown by `packbridge decode`.

One idea: it is asked once for its cells and then repeats them every half second. While it balances, the
cells carry up to 0.8 V of drop in the sense wires at worst; `balancing` says so.

Sources: syssi/esphome-jk-bms components/heltec_balancer_ble and docs/neey-* (captures of GW-24S4EB,
EK-24S4EB, EK-B24S8E200A); patman15/aiobmsble aiobmsble/bms/neey_bms.py.
"""

from __future__ import annotations

from bridge.model import CanFrame, PackInfo, Reading
from bridge.protocols import _neey_cells as cells
from bridge.protocols import _neey_frames as frames
from bridge.protocols import _neey_payloads as payloads
from bridge.protocols._neey_device import Device
from bridge.protocols._neey_frames import Command
from bridge.protocols._stream import BadFrame, Cutter
from bridge.protocols.contract import (
    Ble,
    Drop,
    Dropped,
    Message,
    NoReply,
    Options,
    Payload,
    Request,
    Script,
    Spec,
)

__all__ = ["ACCESSORY", "SPEC", "Decoder", "Device", "Session"]

ACCESSORY = True
"""Its readings add to a pack's; without the pack's own BMS they are no pack."""

SPEC = Spec(
    maker="NEEY / Heltec / EnerKey active balancer",
    links=("ble",),
    ble=Ble(pairs=(("ffe0", "ffe1", "ffe1"),), names=("GW-*", "EK-*")),
    reply_timeout_s=1.0,  # 28 to 350 ms seen
    gap_s=0.05,
    silence_s=0.5,  # 15 notifications a frame
)


class Decoder:
    """Frames by their length field; notifications may cut them anywhere. Remembers the model."""

    def __init__(self) -> None:
        self._cutter = Cutter(frames.measure, frames.check)
        self._layout: cells.Layout | None = None

    def feed(self, payload: Payload) -> list[Message | Dropped]:
        """What has become certain with this payload, in order."""
        if isinstance(payload, CanFrame):
            return [Dropped(Drop.NOISE, max(1, len(payload.data)), "a CAN frame")]
        return [self._message(cut) for cut in self._cutter.feed(payload)]

    def sent(self, payload: Payload) -> None:
        """Nothing to remember: replies name the command that they answer."""

    def reset(self) -> list[Message | Dropped]:
        """Gives up an incomplete frame."""
        return [self._message(cut) for cut in self._cutter.reset()]

    def _message(self, cut: bytes | Dropped) -> Message | Dropped:
        if isinstance(cut, Dropped):
            return cut
        try:
            message = payloads.decode(cut, self._layout)
        except BadFrame as bad:
            return Dropped(bad.reason, len(cut), bad.detail)
        if message.name == payloads.DEVICE_INFO:
            self._layout = cells.layout_of(str(message.raw["model"]))
        return message


class Session:
    """Starts the stream, and keeps of it what an accessory may add to a pack."""

    streams = True
    TRIES = 2

    def __init__(self, options: Options) -> None:
        self._cells = options.cells
        self._xored = False

    def open(self) -> Script[None]:
        """Who is it, and the request that starts the stream. Boards that do not answer a request with a
        sum are asked with an XOR.
        """
        try:
            yield self._request(Command.DEVICE_INFO, payloads.DEVICE_INFO)
        except NoReply:
            self._xored = not self._xored
            yield self._request(Command.DEVICE_INFO, payloads.DEVICE_INFO)
        yield self._request(Command.CELL_INFO, payloads.CELL_INFO)

    def info(self) -> Script[PackInfo | None]:
        """Model and firmware. No ratings: a balancer cuts nothing off."""
        device = yield self._request(Command.DEVICE_INFO, payloads.DEVICE_INFO)
        settings = yield self._request(Command.SETTINGS, payloads.SETTINGS)
        model, software = device.raw["model"], device.raw["software"]
        return PackInfo(
            model=str(model), firmware=str(software), cell_count=settings.reading.get("cell_count")
        )

    def poll(self) -> Script[Reading]:
        """Never run while the board streams; it asks for the cells once."""
        message = yield self._request(Command.CELL_INFO, payloads.CELL_INFO)
        return self.collect(message) or Reading()

    def collect(self, message: Message) -> Reading | None:
        """The cells of the connected inputs; an input among them that reads 0 V is None."""
        if message.name != payloads.CELL_INFO:
            return None
        said = message.reading
        cells_v = said["cell_voltages_v"]
        last = message.raw["last_cell_index0"]
        expected = self._cells - 1 if self._cells else last if isinstance(last, int) else 0
        count = cells.connected_cells(expected, cells_v)  # more than expected are shown, to be noticed
        return Reading(
            cell_voltages_v=tuple(volts or None for volts in cells_v[:count]),
            temperatures_c=said["temperatures_c"],
            balancing=said["balancing"],
        )

    def _request(self, command: Command, name: str) -> Request:
        return Request(frames.read_request(command, xored=self._xored), name, tries=self.TRIES)
