"""`leavo import`: its options and its help."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from leavo_async.bulk.options import ImportOptions
from leavo_async.bulk.sources import Format
from leavo_async.cli.connection import connection_options
from leavo_async.cli.import_run import ImportCommand, check_leads, import_leads
from leavo_async.cli.job_options import connection_of, display_of, display_options, options_of, stoppable
from leavo_async.cli.running import run


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


@click.command("import")
@click.argument("file")
@click.option("--sandbox", is_flag=True, help="Import into a sandbox inside of this process: no account is needed.")
@click.option("--dry-run", is_flag=True, help="Check every row and send nothing; no key is needed.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask, however long it will take.")
@click.option(
    "--map",
    "mapped",
    multiple=True,
    metavar="FIELD=COLUMN",
    callback=_pairs,
    help="This field of a lead is in that column.",
)
@click.option(
    "--ignore", "ignored", multiple=True, metavar="COLUMN", help='Leave this column out; "*": all that are no field.'
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    help="Default: by its name, or its first characters.",
)
@click.option("--delimiter", help='Of CSV, such as ";" or tab. Default: as in the header line.')
@click.option("--encoding", help="Default: utf-8, with or without a byte order mark.")
@click.option(
    "--row-key",
    metavar="COLUMN",
    help="The column with an id of each row, if the file may be edited before it is finished.",
)
@click.option(
    "--same-by",
    multiple=True,
    metavar="FIELD",
    help="Send one of rows that are the same in this field. Default: phone.",
)
@click.option("--name", help="The import of this name is one import, whatever the file says. Default: by its content.")
@click.option("--account", default="", help="If you have several accounts: the name of the one it is for.")
@click.option("--new-run", is_flag=True, help="Import it all once more, although it was imported before.")
@click.option(
    "--on-changed-source",
    type=click.Choice(["abort", "new-rows-only"]),
    default="abort",
    show_default=True,
    help="If the file has changed and its job is not finished.",
)
@display_options
@connection_options
def import_command(
    file: str,
    sandbox: bool,
    dry_run: bool,
    yes: bool,
    mapped: dict[str, str],
    ignored: tuple[str, ...],
    kind: Format | None,
    delimiter: str | None,
    encoding: str | None,
    row_key: str | None,
    same_by: tuple[str, ...],
    name: str | None,
    account: str,
    new_run: bool,
    on_changed_source: str,
    **told: Any,
) -> None:
    """Import leads from FILE: CSV, JSON Lines or Parquet ("-" for standard input).

    Columns: name and phone (with country code), and if you like email, company, status_id, tag_ids, custom_fields.NAME.
    The same command again goes on where it was left, whatever has ended it; no lead is made twice.
    """
    if sandbox and told["base_url"]:
        raise click.UsageError("--sandbox is a place of its own: leave out --base-url (and LEAVO_BASE_URL)")
    options: ImportOptions = {
        **options_of(told),
        "map": mapped,
        "ignore": ignored,
        "format": kind,
        "delimiter": delimiter,
        "encoding": encoding,
        "row_key": row_key,
        "same_by": same_by or None,
        "name": name,
        "account": account,
        "new_run": new_run,
        "on_changed_source": "abort" if on_changed_source == "abort" else "new rows only",
    }
    command = ImportCommand(file, connection_of(told), sandbox, display_of(told, yes=yes), options)
    run(stoppable(partial(check_leads if dry_run else import_leads, command)))
