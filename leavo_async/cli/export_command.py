"""`leavo export`: its options and its help."""

from __future__ import annotations

from datetime import datetime

import click

from leavo_async.bulk.formats import ExportFormat
from leavo_async.bulk.since import Since, moment_of
from leavo_async.cli.connection import Connection, connection_options
from leavo_async.cli.export_progress import ExportStyle
from leavo_async.cli.export_run import ExportOptions, export_leads
from leavo_async.cli.running import run
from leavo_async.errors import ConfigError


def _since(context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else moment_of(value)
    except ConfigError as error:
        raise click.BadParameter(str(error)) from None


@click.group()
def export() -> None:
    """Write what is there to a file."""


@export.command("leads")
@click.option("-o", "--output", "file", metavar="FILE", help='Default: leads.FORMAT; "-" is standard output.')
@click.option("--format", "kind", type=click.Choice(["csv", "jsonl", "parquet"]), help="Default: as FILE ends.")
@click.option("--search", help="Part of a name, e-mail address or phone number.")
@click.option("--status-id", help="Only leads of this status.")
@click.option("--since", callback=_since, metavar="MOMENT", help="Only what has changed since; UTC without a zone.")
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    default=300,
    show_default=True,
    help="Seconds before --since that count too.",
)
@click.option("--no-guard", is_flag=True, help="CSV: cells that look like formulas as they are.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
@click.option("--restart", is_flag=True, help="Begin anew instead of going on with an export that was stopped.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.option(
    "--progress", type=click.Choice(["auto", "bar", "plain", "json", "none"]), default="auto", show_default=True
)
@connection_options
def export_leads_command(
    file: str | None,
    kind: ExportFormat | None,
    search: str | None,
    status_id: str | None,
    since: datetime | None,
    overlap: int,
    no_guard: bool,
    overwrite: bool,
    restart: bool,
    as_json: bool,
    progress: ExportStyle,
    base_url: str | None,
    allow_insecure_loopback: bool,
    limit: int | None,
) -> None:
    """Write leads to a file: CSV, JSON Lines or Parquet.

    However it ends before its end, the same command goes on.
    """
    if file == "-" and as_json:
        raise click.UsageError("--json prints to standard output, where -o - writes the leads: name a file")
    options = ExportOptions(
        connection=Connection(base_url, allow_insecure_loopback, limit),
        file=file,
        format=kind,
        search=search,
        status_id=status_id,
        since=None if since is None else Since(since, overlap),
        guard=not no_guard,
        overwrite=overwrite,
        restart=restart,
        as_json=as_json,
        progress=progress,
    )
    run(export_leads(options))
