"""The two forms in which Leavo's documents show its answers.

Nobody says which one the live server speaks: English pages show envelopes, Portuguese ones bare objects and lists.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal

from leavo_async.sandbox.leavo.labels import TENANT_ID, Status, Tag
from leavo_async.sandbox.leavo.store import Lead, Page
from leavo_async.sandbox.messages import Json, Refusal

DialectName = Literal["enveloped", "bare"]

# Labels are born with the sandbox; a fixed moment keeps runs comparable.
_BORN = "2025-01-01T00:00:00Z"

_CODES: Mapping[int, str] = MappingProxyType(
    {
        400: "VALIDATION_ERROR",
        401: "UNAUTHORIZED",
        403: "FORBIDDEN",
        404: "NOT_FOUND",
        405: "METHOD_NOT_ALLOWED",
        409: "ALREADY_EXISTS",
        429: "RATE_LIMIT_EXCEEDED",
    }
)


class Enveloped:
    """{"success": true, "data": …}, with "pagination" on lists of leads."""

    def lead(self, lead: Lead) -> Json:
        """A lead as an item."""
        return {
            "id": lead.id,
            "name": lead.name,
            "email": lead.email,
            "phone": lead.phone,
            "company": lead.company,
            "status": _brief(lead.status),
            "tags": [_brief(tag) for tag in lead.tags],
            "custom_fields": dict(lead.custom_fields),
            "created_at": lead.created_at,
            "updated_at": lead.updated_at,
        }

    def one(self, item: Json) -> object:
        """The answer that is one item."""
        return {"success": True, "data": item}

    def many(self, items: list[Json]) -> object:
        """The answer that is a whole list."""
        return {"success": True, "data": items}

    def page(self, page: Page) -> object:
        """The answer that is part of a list."""
        items = [self.lead(lead) for lead in page.leads]
        return {"success": True, "data": items, "pagination": _pagination(page)}

    def error(self, refusal: Refusal) -> Json:
        """The answer that is an error."""
        return {"success": False, **_error(refusal)}


class Bare:
    """The object or the list itself; leads carry more, errors no "success"."""

    def lead(self, lead: Lead) -> Json:
        """A lead as an item."""
        status = {**_brief(lead.status), "description": lead.status.description, "default": lead.status.default}
        whole = Enveloped().lead(lead)
        return {**whole, "tenant_id": TENANT_ID, "status_id": lead.status.id, "status": status}

    def one(self, item: Json) -> object:
        """The answer that is one item."""
        return item

    def many(self, items: list[Json]) -> object:
        """The answer that is a whole list."""
        return items

    def page(self, page: Page) -> object:
        """The answer that is part of a list."""
        return [self.lead(lead) for lead in page.leads]

    def error(self, refusal: Refusal) -> Json:
        """The answer that is an error."""
        return _error(refusal)


Dialect = Enveloped | Bare

DIALECTS: Mapping[str, Dialect] = MappingProxyType({"enveloped": Enveloped(), "bare": Bare()})


def labels(found: Iterable[Status | Tag]) -> list[Json]:
    """Statuses or tags as items, the same in both dialects."""
    return [_label(label) for label in found]


def _label(label: Status | Tag) -> Json:
    default: Json = {"default": label.default} if isinstance(label, Status) else {}
    described: Json = {**_brief(label), "description": label.description, **default}
    return {**described, "tenant_id": TENANT_ID, "created_at": _BORN, "updated_at": _BORN}


def _brief(label: Status | Tag) -> Json:
    return {"id": label.id, "name": label.name, "color": label.color}


def _pagination(page: Page) -> Json:
    end = page.query.offset + len(page.leads)
    return {
        "total": page.total,
        "limit": page.query.limit,
        "offset": page.query.offset,
        "has_more": end < page.total,
    }


def _error(refusal: Refusal) -> Json:
    code = refusal.code or _CODES.get(refusal.status, "INTERNAL_ERROR")
    details: Json = {"details": dict(refusal.details)} if refusal.details else {}
    return {"error": {"code": code, "message": refusal.message, **details}}
