"""`packbridge doctor`: looks at everything around the gateway that can be wrong, and changes nothing.

One check is one file in `checks/`; the folder is the list. A check is given the configuration and a
`Host`, which is all that it may ask of the machine, and answers with findings: what it looked at, what
it saw, what to do. It opens no port, sends nothing and needs no gateway to be stopped.
"""

from __future__ import annotations

from bridge.doctor.contract import Case, Finding, Verdict
from bridge.doctor.examination import Examined, checks, examine
from bridge.doctor.host import Host, this_host

__all__ = ["Case", "Examined", "Finding", "Host", "Verdict", "checks", "examine", "this_host"]
