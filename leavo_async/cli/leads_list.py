"""`leavo leads list`: leads as they come, page by page."""

from __future__ import annotations

from leavo_async import Lead
from leavo_async._sansio.text import printable
from leavo_async.cli.connection import Connection
from leavo_async.cli.exit_codes import ExitCode


async def list_leads(
    connection: Connection, *, as_json: bool, search: str | None, status_id: str | None, max_items: int | None
) -> ExitCode:
    """Print the leads that fit, a line each."""
    async with connection.client() as leavo:
        async for lead in leavo.leads.list(search=search, status_id=status_id, max_items=max_items):
            print(lead.model_dump_json(exclude_unset=True) if as_json else _line(lead))
    return ExitCode.DONE


def _line(lead: Lead) -> str:
    cells = (lead.id, lead.name, lead.phone, lead.email, lead.company)
    return "\t".join(printable(cell or "") for cell in cells)
