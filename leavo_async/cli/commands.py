"""The commands, their options and their help."""

from __future__ import annotations

from importlib.metadata import version

import click

from leavo_async.cli.connection import Connection, connection_options
from leavo_async.cli.export_command import export
from leavo_async.cli.import_command import import_command
from leavo_async.cli.jobs_commands import jobs
from leavo_async.cli.leads_list import list_leads
from leavo_async.cli.running import run
from leavo_async.cli.sandbox_run import SandboxOptions, serve
from leavo_async.sandbox import APIS, MODELS


@click.group()
@click.version_option(version("leavo-async"), message="leavo %(version)s")
def leavo() -> None:
    """Leavo's CRM from the command line. The key comes from LEAVO_API_KEY.

    Exit codes: 0 done, 2 wrong usage, 3 some rows failed, 4 nothing sent, 5 stopped early, 6 some outcomes unknown,
    7 stopped by --max-errors or --max-duration, 130 interrupted.
    """


leavo.add_command(import_command)
leavo.add_command(export)
leavo.add_command(jobs)


@leavo.group()
def leads() -> None:
    """Leads."""


@leads.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--search", help="Part of a name, e-mail address or phone number.")
@click.option("--status-id", help="Only leads of this status.")
@click.option("--max", "max_items", type=click.IntRange(min=0), help="So many at the most.")
@connection_options
def leads_list(
    as_json: bool,
    search: str | None,
    status_id: str | None,
    max_items: int | None,
    base_url: str | None,
    allow_insecure_loopback: bool,
    limit: int | None,
) -> None:
    """List leads, page by page."""
    connection = Connection(base_url, allow_insecure_loopback, limit)
    run(list_leads(connection, as_json=as_json, search=search, status_id=status_id, max_items=max_items))


def _amounts(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    """KIND=N, KIND=N → {KIND: N}."""
    pairs = [value.partition("=") for value in values]
    if not all(kind and number.isdecimal() for kind, _, number in pairs):
        raise click.BadParameter("expected KIND=N, such as invoices=250")
    return {kind: int(number) for kind, _, number in pairs}


def _share(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """1% → 0.01."""
    number = value.removesuffix("%")
    if not number.replace(".", "", 1).isdecimal() or not 0 <= float(number) <= 100:
        raise click.BadParameter(f"{value!r}: expected a percentage, such as 1%")
    return float(number) / 100


@leavo.command("sandbox")
@click.option("--api", type=click.Choice(list(APIS)), default="leavo", show_default=True, help="Whose API to serve.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Requests a minute of a key.")
@click.option("--model", type=click.Choice(sorted(MODELS)), default="fixed-window", show_default=True)
@click.option("--dialect", type=click.Choice(["enveloped", "bare"]), help="Leavo only. Default: enveloped.")
@click.option("--idempotency", type=click.Choice(["ignored", "honoured"]), help="Default: as the API documents it.")
@click.option("--rate-headers", is_flag=True, help="Send X-RateLimit-* with every answer.")
@click.option("--leads", type=click.IntRange(min=0), default=0, help="Start with so many made-up leads.")
@click.option("--fill", "filled", multiple=True, metavar="KIND=N", callback=_amounts, help="The same for other things.")
@click.option(
    "--unknown", default="0%", metavar="N%", callback=_share, help="So many writes are done and not answered."
)
def sandbox_command(
    api: str,
    port: int,
    limit: int,
    model: str,
    dialect: str | None,
    idempotency: str | None,
    rate_headers: bool,
    leads: int,
    filled: dict[str, int],
    unknown: float,
) -> None:
    """Serve Leavo's API or another from this machine, in memory, until Ctrl-C."""
    filled |= {"leads": leads} if leads else {}
    run(serve(SandboxOptions(api, port, limit, model, dialect, idempotency, rate_headers, filled, unknown)))
