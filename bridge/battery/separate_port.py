"""BMSs with two negative terminals: C- through the charge switch, P- through the discharge switch.

A switch only counts where it is in the way of the current. With the inverter on P- the charge switch is
not: charging flows through P-, where nothing but a body diode is left when the discharge switch opens. So
what the BMS says of a switch that the bus does not pass is taken away before anything else is judged,
and "not said" counts as closed everywhere. `PackSettings.charge_unprotected` says what follows for the
limits. Single switches (JBD, Daly separate-port boards): one MOSFET bank per terminal, no second one back
to back.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.model import PackSample, PackSettings


def at_the_bus(sample: PackSample, settings: PackSettings) -> PackSample:
    """The sample with only those switches that the bus's current passes."""
    if settings.port_kind != "separate":
        return sample
    match settings.bus_on:
        case "C":
            return replace(sample, discharge_fet_on=None)
        case "tied":
            return replace(sample, charge_fet_on=None, discharge_fet_on=None)
        case _:
            return replace(sample, charge_fet_on=None)
