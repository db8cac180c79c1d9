"""An import that sends nothing: every row is checked, no key is needed, no connection is opened."""

from __future__ import annotations

import json

from leavo_async.bulk.rejects import Rejects
from leavo_async.bulk.results import RowResult
from leavo_async.bulk.survey import Survey, survey
from leavo_async.bulk.threads import in_thread
from leavo_async.cli.exit_codes import ExitCode, of_import
from leavo_async.cli.import_run import ImportOptions, opened
from leavo_async.cli.leads_file import OpenedLeads
from leavo_async.cli.open_rows import open_row_lines, open_rows_json
from leavo_async.cli.plan import plan_lines
from leavo_async.cli.reporter import keep
from leavo_async.cli.stopper import Stopper


async def check_leads(options: ImportOptions, stopper: Stopper) -> ExitCode:
    """Check the rows of the file and print what an import would do; gives the exit code."""
    async with opened(options.file, options.rejects) as (leads, rejects):
        found = await in_thread(_checked, leads, rejects, stopper)
        written = str(rejects.path) if rejects is not None and rejects.count else None
    code = of_import(found.tally, None, stopper.signal)
    if options.as_json:
        print(_json(leads, found, written, code))
    else:
        for line in (*plan_lines(leads, found, None), *open_row_lines(found.tally, written, rejects is not None)):
            print(line)
        meaning = code.meaning if code else "every row can be sent"
        print(f"Dry run: nothing was sent. Exit code {code}: {meaning}.")
    return code


def _checked(leads: OpenedLeads, rejects: Rejects | None, stopper: Stopper) -> Survey:
    def on_result(result: RowResult) -> None:
        if rejects is not None and result.is_open:
            keep(rejects, result)

    try:
        return survey(leads.source, leads.check, on_result=on_result, is_stopped=stopper.is_stopped)
    finally:
        if rejects is not None:
            rejects.close()


def _json(leads: OpenedLeads, found: Survey, written: str | None, code: ExitCode) -> str:
    told = {
        "file": leads.source.name,
        "rows": found.rows,
        "to_send": found.to_send,
        "rejected": found.tally.counts["rejected"],
        "empty": found.tally.counts["empty"],
        "open_rows": open_rows_json(found.tally),
        "rejects": written,
        "exit_code": int(code),
    }
    return json.dumps(told, ensure_ascii=False)
