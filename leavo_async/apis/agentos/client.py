"""The typed client of agentOS."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Unpack

from leavo_async._sansio.auth import Ask, Secret
from leavo_async.apis.agentos.advertising import Advertising
from leavo_async.apis.agentos.applications import Applications
from leavo_async.apis.agentos.appointments import Appointments
from leavo_async.apis.agentos.contacts import Contacts
from leavo_async.apis.agentos.diary import Diary
from leavo_async.apis.agentos.maintenance import Maintenance
from leavo_async.apis.agentos.profile import AGENTOS
from leavo_async.apis.agentos.property_management import PropertyManagement
from leavo_async.apis.agentos.referencing import Referencing
from leavo_async.errors import ConfigError
from leavo_async.session import Session, SessionOptions

_VARIABLE = "AGENTOS_SHORT_NAME"


class AgentOSClient(Session):
    """The agentOS API of one agency: a Session with a part for each tier.

        async with AgentOSClient() as agentos:
            async for letting in agentos.advertising.lettings():
                print(letting.OID, letting.Postcode)

    api_key: the agency's key, default the environment variable AGENTOS_API_KEY; a Secret if it is known when it ends,
        or a coroutine function that gives it.
    short_name: the agency's name in URLs, default the environment variable AGENTOS_SHORT_NAME.
    options: as for Session. The key goes into the header `api_key`; `auth=QueryKey()` puts it into the query instead,
        where logs and proxies may keep it: for a proxy that drops header names with an underscore, and else not.
    Raises ConfigError without a usable key or short name.
    """

    def __init__(
        self,
        api_key: str | Secret | Ask | None = None,
        *,
        short_name: str | None = None,
        **options: Unpack[SessionOptions],
    ) -> None:
        # The plain text leaves this frame before anything can fail.
        key, api_key = api_key if callable(api_key) else Secret.of(api_key), None
        given = options.get("path_params") or {}
        name = _checked(given.get("short_name") if short_name is None else short_name)
        options["path_params"] = {**given, "short_name": name}
        super().__init__(AGENTOS, key, **options)

    @cached_property
    def advertising(self) -> Advertising:
        """Lettings and sales on offer."""
        return Advertising(self)

    @cached_property
    def appointments(self) -> Appointments:
        """Free slots, bookings and appointments."""
        return Appointments(self)

    @cached_property
    def maintenance(self) -> Maintenance:
        """Maintenance jobs, contractors and invoices."""
        return Maintenance(self)

    @cached_property
    def property_management(self) -> PropertyManagement:
        """Leads, and the pictures of properties."""
        return PropertyManagement(self)

    @cached_property
    def contacts(self) -> Contacts:
        """Tenants, landlords, vendors and applicants who have agreed to it."""
        return Contacts(self)

    @cached_property
    def referencing(self) -> Referencing:
        """Applications that wait for referencing."""
        return Referencing(self)

    @cached_property
    def applications(self) -> Applications:
        """Tenancy applications and alerts."""
        return Applications(self)

    @cached_property
    def diary(self) -> Diary:
        """The diary of V3."""
        return Diary(self)


def _checked(short_name: str | None) -> str:
    name = os.environ.get(_VARIABLE) if short_name is None else short_name
    if not name:
        raise ConfigError(f"no short name of the agency: set {_VARIABLE} in the environment, or pass short_name=")
    return name
