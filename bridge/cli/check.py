"""`packbridge check`: reads a configuration as `run` would, and says what follows from it."""

from __future__ import annotations

from pathlib import Path

import typer

from bridge.errors import ConfigError

EPILOG = """[b]Examples[/b]

packbridge check config.toml

packbridge check --no-ports config.toml

packbridge check examples/*.toml

Exit codes: 0 ok, 2 something must be put right."""

AS_EXAMPLE = "an example; its ports are not looked for, and it can't be run before it is your own"


def check(
    configs: list[Path] = typer.Argument(..., metavar="CONFIG", help="Configuration files."),
    no_ports: bool = typer.Option(False, "--no-ports", help="Don't look whether the ports are there."),
) -> None:
    """Say what a configuration means, or everything that is wrong with it. Opens no port."""
    problems = [problem for path in configs for problem in _check(path, ports=not no_ports)]
    if problems:
        raise ConfigError(*problems)


def _check(path: Path, *, ports: bool) -> tuple[str, ...]:
    """The problems of one file; its summary is printed whenever it can be made."""
    from bridge import config as configuration
    from bridge.config.summary import summary

    try:
        config = configuration.load(path)
        for line in summary(config):
            typer.echo(line)
        for warning in config.warnings:
            typer.echo(f"warning: {warning}", err=True)
        if config.gateway.example:
            typer.echo(f"{path}: {AS_EXAMPLE}")
        elif ports:
            configuration.preflight(config)
    except ConfigError as error:
        return error.problems
    typer.echo(f"{path}: ok")
    return ()
