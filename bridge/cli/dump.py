"""`packbridge dump VERB`: questions to a CAN dump. Every verb is a file, `dump_VERB.py`.

The folder is the list. A verb's file has a function of the verb's name and the EPILOG of its help page,
or an `app` if it has verbs of its own; it imports what is heavy only when it runs.
"""

from __future__ import annotations

import importlib
import pkgutil

import typer

import bridge.cli

PREFIX = "dump_"

app = typer.Typer(
    no_args_is_help=True,
    help="CAN dumps: read them in any form, say what they mean and what is wrong.",
)

for _module in sorted(one.name for one in pkgutil.iter_modules(bridge.cli.__path__)):
    if _module.startswith(PREFIX):
        _verb = importlib.import_module(f"bridge.cli.{_module}")
        _name = _module.removeprefix(PREFIX)
        if hasattr(_verb, "app"):
            app.add_typer(_verb.app, name=_name)
        else:
            app.command(_name, epilog=_verb.EPILOG)(getattr(_verb, _name))
