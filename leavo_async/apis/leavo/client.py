"""The typed client of Leavo's CRM API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Unpack

from leavo_async._sansio.auth import Ask, Secret
from leavo_async._sansio.paths import segment
from leavo_async._sansio.unset import UNSET, Unset, given
from leavo_async._sansio.validation import checked
from leavo_async.apis.leavo.columns import LEAD_COLUMNS
from leavo_async.apis.leavo.imports import LEADS
from leavo_async.apis.leavo.models import Lead, LeadChanges, NewLead
from leavo_async.apis.leavo.profile import LEAVO
from leavo_async.bulk.export import ExportOptions, ExportReport, export, format_of
from leavo_async.bulk.formats import ExportFormat
from leavo_async.bulk.job import BulkJob
from leavo_async.bulk.options import ImportOptions
from leavo_async.bulk.report import Report
from leavo_async.bulk.since import Since
from leavo_async.errors import ConfigError
from leavo_async.options import CallOptions, ListOptions
from leavo_async.pagination import Pages
from leavo_async.session import Session, SessionOptions

_LEADS = "/backend/leads"


class LeavoClient(Session):
    """Leavo's CRM API: a Session with `leads`.

        async with LeavoClient() as leavo:
            async for lead in leavo.leads.list(search="ana"): ...

    api_key: your key, default the environment variable LEAVO_API_KEY; a Secret if it is known when it ends, or a
        coroutine function that gives it. options: as for Session.
    Raises ConfigError without a usable key.
    """

    def __init__(self, api_key: str | Secret | Ask | None = None, **options: Unpack[SessionOptions]) -> None:
        # The plain text leaves this frame before anything can fail.
        key, api_key = api_key if callable(api_key) else Secret.of(api_key), None
        super().__init__(LEAVO, key, **options)

    @cached_property
    def leads(self) -> LeadsResource:
        """Leads: list, get, create, update, delete."""
        return LeadsResource(self)


class LeadsResource:
    """Leads. Each method takes the CallOptions: timeout, deadline, signal, priority, retry, and so on."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self,
        *,
        search: str | None = None,
        status_id: str | None = None,
        tag_ids: Sequence[str] | None = None,
        **options: Unpack[ListOptions],
    ) -> Pages[Lead]:
        """The leads that fit, as an async iterable over pages that are fetched ahead.

        search: part of a name, e-mail address or phone number. page_size: 1 to 100, default 100.
        """
        tags = None if tag_ids is None else ",".join(tag_ids)
        params = {"search": search, "status_id": status_id, "tag_ids": tags}
        return self._session.pages(_LEADS, params=params, cast_to=Lead, **options)

    async def get(self, lead_id: str, **options: Unpack[CallOptions]) -> Lead:
        """The lead; NotFoundError if there is none.

        Leavo's reference does not list this call, its examples use it.
        """
        found: Lead = await self._session.request("GET", _place(lead_id), cast_to=Lead, **options)
        return found

    async def create(
        self,
        *,
        name: str,
        phone: str,
        email: str | Unset | None = UNSET,
        company: str | Unset | None = UNSET,
        status_id: str | Unset | None = UNSET,
        tag_ids: Sequence[str] | Unset | None = UNSET,
        custom_fields: Mapping[str, Any] | Unset | None = UNSET,
        **options: Unpack[CallOptions],
    ) -> Lead:
        """The new lead.

        phone: with country code, such as +5511999990000. If the answer is lost, the lead is looked up by its phone.
        Raises ConfigError for a name, phone or e-mail address that cannot be one, ConflictError if a lead with this
        phone exists, OutcomeUnknownError if it may have been created and cannot be found.
        """
        fields = dict(
            name=name,
            phone=phone,
            email=email,
            company=company,
            status_id=status_id,
            tag_ids=tag_ids,
            custom_fields=custom_fields,
        )
        lead = checked(NewLead, given(fields), lambda reasons: ConfigError(f"leads.create: {reasons}"))
        return await self.create_from(lead, **options)

    async def create_from(self, lead: NewLead, **options: Unpack[CallOptions]) -> Lead:
        """The new lead, from one that is checked already; errors as in `create`."""
        body = lead.model_dump(mode="json", exclude_unset=True)
        created: Lead = await self._session.request("POST", _LEADS, json=body, cast_to=Lead, **options)
        return created

    async def import_(self, source: object, **options: Unpack[ImportOptions]) -> Report:
        """What became of each row of a file, a data frame or an iterable, once each is a lead or cannot be one.

        source: CSV, JSON Lines or Parquet, as a path; a data frame of pandas, polars or Arrow; an iterable or async
        iterable of mappings. Its columns are named like the fields of `create`, or mapped: map={"name": "Nome"};
        custom_fields.NAME is one. options: see ImportOptions.

        The same call again goes on where it was left, whatever ended it; a finished import is not done twice. Rows with
        a phone that an earlier row has, or that a lead has already, make no second lead. See BulkJob for the promise.
        Raises ConfigError before anything is sent, JournalError if the journal cannot be written any more.
        """
        return await BulkJob(self._session, LEADS, source, **options).run()

    async def export(
        self,
        path: str | Path,
        *,
        search: str | None = None,
        status_id: str | None = None,
        format: ExportFormat | None = None,  # noqa: A002  # the users' word
        since: Since | None = None,
        **options: Unpack[ExportOptions],
    ) -> ExportReport:
        """Write the leads that fit to a file: CSV, JSON Lines or Parquet, as its name ends. See `bulk.export.export`.

        The same call goes on where it was left, whatever has ended it; when the file has its name, it is whole.
        search, status_id: as in `list`. since: only leads that have changed from then on.
        """
        kind = format or format_of(Path(path))
        columns = None if kind == "jsonl" else LEAD_COLUMNS
        listing = partial(self.list, search=search, status_id=status_id)
        return await export(listing, path, format=kind, columns=columns, since=since, **options)

    async def update(
        self,
        lead_id: str,
        *,
        name: str | Unset = UNSET,
        phone: str | Unset = UNSET,
        email: str | Unset | None = UNSET,
        company: str | Unset | None = UNSET,
        status_id: str | Unset | None = UNSET,
        custom_fields: Mapping[str, Any] | Unset | None = UNSET,
        **options: Unpack[CallOptions],
    ) -> Lead:
        """The changed lead. Only the fields given are sent; None clears one."""
        fields = dict(
            name=name, phone=phone, email=email, company=company, status_id=status_id, custom_fields=custom_fields
        )
        changes = checked(LeadChanges, given(fields), lambda reasons: ConfigError(f"leads.update: {reasons}"))
        body = changes.model_dump(mode="json", exclude_unset=True)
        changed: Lead = await self._session.request("PUT", _place(lead_id), json=body, cast_to=Lead, **options)
        return changed

    async def delete(self, lead_id: str, **options: Unpack[CallOptions]) -> None:
        """Delete the lead; NotFoundError if there is none."""
        await self._session.request("DELETE", _place(lead_id), **options)


def _place(lead_id: str) -> str:
    return f"{_LEADS}/{segment(lead_id, 'lead_id')}"
