"""One picture of a running gateway, as JSON can carry it: for scripts, pages and people.

Field names are the model's own, so that a number has one name from the wire to the dashboard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.model import AlarmCause, Bank, Constraint, Decision, Limit, Member

if TYPE_CHECKING:
    from bridge.gateway import Gateway


def snapshot(gateway: Gateway, now: float) -> dict[str, object]:
    """Packs, bank, limits with their reasons, and what each inverter says; `t` is monotonic seconds."""
    decision = gateway.decision
    return {
        "t": round(now, 3),
        "packs": [
            _pack(member) | {"link": gateway.sources.statistics(member.name).report()}
            for member in gateway.members(now)
        ],
        "bank": {}
        if decision is None
        else _bank(decision.bank) | {"stage": decision.stage} | _strings(gateway),
        "limits": {} if decision is None else _limits(decision),
        "inverters": _inverters(gateway, now),
        "buses": {link: bus.report() for link, bus in gateway.buses.items()},
        **{name: tell(now) for name, tell in gateway.more.items()},
    }


def _inverters(gateway: Gateway, now: float) -> dict[str, object]:
    """What each inverter says, and what it was told."""
    reports = {name: sink.status(now).report() for name, sink in gateway.sinks.items()}
    sent = gateway.sent()
    return {
        name: report | {"sent": None if (told := sent[name]) is None else _sent(told)}
        for name, report in (reports | gateway.polled.report(now)).items()
    }


def _pack(member: Member) -> dict[str, object]:
    sample = member.sample
    shown: dict[str, object] = {
        "name": member.name,
        "state": member.state.value,
        "age_s": _rounded(member.age_s, 2),
    }
    if sample is None:
        return shown
    return shown | {
        "voltage_v": _rounded(sample.voltage_v, 3),
        "current_a": _rounded(sample.current_a, 2),
        "soc_pct": _percent(sample.soc),
        "soh_pct": _percent(sample.soh),
        "remaining_ah": _rounded(sample.remaining_ah, 2),
        "cell_max_v": sample.cell_max_v,
        "cell_min_v": sample.cell_min_v,
        "cell_voltages_v": list(sample.cell_voltages_v),
        "temperatures_c": list(sample.temperatures_c),
        "charge_allowed": sample.charge_allowed,
        "discharge_allowed": sample.discharge_allowed,
        "alarms": sorted(sample.protections | sample.warnings),
    }


def _bank(bank: Bank) -> dict[str, object]:
    return {
        "voltage_v": _rounded(bank.voltage_v, 3),
        "current_a": _rounded(bank.current_a, 2),
        "soc_pct": _percent(bank.soc),
        "soh_pct": _percent(bank.soh),
        "remaining_ah": _rounded(bank.remaining_ah, 2),
        "full_ah": _rounded(bank.full_ah, 2),
        "cell_max_v": bank.cell_max_v,
        "cell_min_v": bank.cell_min_v,
        "temperature_max_c": _rounded(bank.temperature_max_c, 1),
        "temperature_min_c": _rounded(bank.temperature_min_c, 1),
        "pack_count": bank.pack_count,
        "packs_online": bank.packs_online,
    }


def _strings(gateway: Gateway) -> dict[str, object]:
    """How the packs are wired; nothing of packs that are all in parallel."""
    wired = gateway.config.bank.topology
    return {} if wired is None else {"topology": wired.name}


def _limits(decision: Decision) -> dict[str, object]:
    limits: dict[str, object] = {limit.value: _rounded(getattr(decision, limit.value), 3) for limit in Limit}
    return limits | {
        "charge_enabled": decision.charge_enabled,
        "discharge_enabled": decision.discharge_enabled,
        "alarms": sorted(decision.protections | decision.warnings),
        "alarm_causes": [_cause(one) for one in decision.alarm_causes],
        "why": {limit.value: [reason(one) for one in decision.constraints.get(limit, ())] for limit in Limit},
    }


def _cause(cause: AlarmCause) -> dict[str, object]:
    return {
        "alarm": cause.alarm.value,
        "severity": cause.severity.name.lower(),
        "pack": cause.pack,
        "text": cause.text,
    }


def reason(constraint: Constraint) -> dict[str, object]:
    """One reason of a limit; what is not known is left out."""
    shown = {
        "value": _rounded(constraint.value, 3),
        "rule": constraint.rule,
        "pack": constraint.pack,
        "cell": constraint.cell,
        "age_s": _rounded(constraint.age_s, 2),
        "text": constraint.text,
    }
    return {key: value for key, value in shown.items() if value is not None}


def _sent(decision: Decision) -> dict[str, object]:
    """What this inverter was told last: its part, after its profile's policies."""
    limits: dict[str, object] = {limit.value: _rounded(getattr(decision, limit.value), 3) for limit in Limit}
    return limits | {
        "charge_enabled": decision.charge_enabled,
        "discharge_enabled": decision.discharge_enabled,
    }


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else round(100 * ratio, 2)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
