"""The commands, their options and their help."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import get_args

import click

from leavo_async.bulk.sources import Format
from leavo_async.cli.connection import Connection, connection_options
from leavo_async.cli.dry_run import check_leads
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.cli.import_run import ImportOptions, import_leads
from leavo_async.cli.leads_file import LeadsFile
from leavo_async.cli.leads_list import list_leads
from leavo_async.cli.progress import Style
from leavo_async.cli.running import fail, on_signals, run
from leavo_async.cli.sandbox_run import SandboxOptions, serve
from leavo_async.cli.stopper import Stopper
from leavo_async.sandbox import APIS, MODELS


@click.group()
@click.version_option(version("leavo-async"), message="leavo %(version)s")
def leavo() -> None:
    """Leavo's CRM from the command line. The key comes from LEAVO_API_KEY.

    Exit codes: 0 done, 2 wrong usage, 3 some rows rejected, 4 nothing sent, 5 stopped early, 6 some outcomes unknown,
    130 interrupted.
    """


def _pairs(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """FIELD=COLUMN, FIELD=COLUMN → {FIELD: COLUMN}."""
    found: dict[str, str] = {}
    for value in values:
        field, equals, column = value.partition("=")
        if not equals or not field or not column:
            raise click.BadParameter(f"{value!r}: expected FIELD=COLUMN, such as name=Nome")
        if field in found:
            raise click.BadParameter(f"{field!r} is mapped twice")
        found[field] = column
    return found


@leavo.command("import")
@click.argument("file")
@click.option("--sandbox", is_flag=True, help="Import into a sandbox inside of this process: no account is needed.")
@click.option("--dry-run", is_flag=True, help="Check every row and send nothing; no key is needed.")
@click.option("--map", "mapped", multiple=True, metavar="FIELD=COLUMN", callback=_pairs, help="Where a field stands.")
@click.option("--ignore", "ignored", multiple=True, metavar="COLUMN", help='To be left out; "*" is all unknown ones.')
@click.option("--format", "kind", type=click.Choice(["csv", "jsonl"]), help="Default: by the file's name and content.")
@click.option("--delimiter", help='Of CSV, such as ";" or tab. Default: as in the header line.')
@click.option("--encoding", help="Default: utf-8, with or without a byte order mark.")
@click.option("--rejects", metavar="FILE", help="Write the rows that are not there in the end, each with its reason.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.option("--progress", type=click.Choice(get_args(Style)), default="auto", show_default=True)
@click.option("--concurrency", type=click.IntRange(1, 32), default=8, show_default=True, help="Rows at the same time.")
@connection_options
def import_command(
    file: str,
    sandbox: bool,
    dry_run: bool,
    mapped: dict[str, str],
    ignored: tuple[str, ...],
    kind: Format | None,
    delimiter: str | None,
    encoding: str | None,
    rejects: str | None,
    as_json: bool,
    progress: Style,
    concurrency: int,
    base_url: str | None,
    allow_insecure_loopback: bool,
    limit: int | None,
) -> None:
    """Import leads from FILE, CSV or JSON Lines ("-" for standard input).

    Columns: name and phone (with country code), and if you like email, company, status_id, tag_ids, custom_fields.NAME.
    A phone that is there already is not created twice, so a file may be imported again.
    """
    if sandbox and base_url:
        raise click.UsageError("--sandbox is a place of its own: leave out --base-url (and LEAVO_BASE_URL)")
    options = ImportOptions(
        file=LeadsFile(file, kind, delimiter, encoding, mapped, ignored),
        connection=Connection(base_url, allow_insecure_loopback, limit),
        sandbox=sandbox,
        rejects=rejects,
        as_json=as_json,
        progress=progress,
        concurrency=concurrency,
    )
    run(_stoppable(options, dry_run=dry_run))


async def _stoppable(options: ImportOptions, *, dry_run: bool) -> ExitCode:
    stopper = Stopper()
    try:
        with on_signals(stopper.on_signal):
            return await (check_leads if dry_run else import_leads)(options, stopper)
    except asyncio.CancelledError:
        if stopper.signal is None:
            raise
    return fail("interrupted before anything was sent", ExitCode(128 + stopper.signal))


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
) -> None:
    """Serve Leavo's API or another from this machine, in memory, until Ctrl-C."""
    filled |= {"leads": leads} if leads else {}
    run(serve(SandboxOptions(api, port, limit, model, dialect, idempotency, rate_headers, filled)))
