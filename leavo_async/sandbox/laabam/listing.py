"""From the query of a list request to its page."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from leavo_async.sandbox.laabam.invoices import STATUSES, iso_date
from leavo_async.sandbox.laabam.refused import invalid
from leavo_async.sandbox.messages import Json

# https://doc.laabam.one/api/
DEFAULT_LIMIT = 25
MAX_LIMIT = 100

_INTEGER = re.compile(r"[0-9]{1,9}")
_MONEY_FIELDS = frozenset({"total", "amount", "price"})


@dataclass(frozen=True, slots=True)
class Listable:
    """What can be asked of one kind of things. filters: fields to be equal. dated: the field of from and to."""

    sortable: frozenset[str]
    filters: tuple[str, ...] = ()
    dated: str | None = None


def page(items: Sequence[Json], listable: Listable, query: Mapping[str, str]) -> Json:
    """{"data", "paging": {"next_cursor", "has_more"}}; `Refused` (400).

    A cursor is good for one listing, one set of filters and one order.
    """
    limit = _limit(query.get("limit", str(DEFAULT_LIMIT)))
    found = _sorted(_filtered(items, listable, query), listable, query.get("sort", ""))
    digest = _digest(listable, query)
    start = _start(found, query["cursor"], digest) if query.get("cursor") else 0
    given = found[start : start + limit]
    more = start + limit < len(found)
    cursor = _cursor(given[-1]["id"], digest) if more else None
    return {"data": given, "paging": {"next_cursor": cursor, "has_more": more}}


def _limit(value: str) -> int:
    if not _INTEGER.fullmatch(value) or not 1 <= int(value) <= MAX_LIMIT:
        raise invalid("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(value)


def _filtered(items: Sequence[Json], listable: Listable, query: Mapping[str, str]) -> list[Json]:
    if "status" in listable.filters and query.get("status", STATUSES[0]) not in STATUSES:
        raise invalid("status", f"must be one of {', '.join(STATUSES)}")
    equal = [(name, query[name]) for name in listable.filters if name in query]
    found = [item for item in items if all(item[name] == value for name, value in equal)]
    return _between(found, listable.dated, query) if listable.dated else found


def _between(items: list[Json], field: str, query: Mapping[str, str]) -> list[Json]:
    first = iso_date("from", query["from"]) if "from" in query else ""
    last = iso_date("to", query["to"]) if "to" in query else "9999-12-31"
    return [item for item in items if first <= item[field] <= last]


def _sorted(items: list[Json], listable: Listable, sort: str) -> list[Json]:
    field = sort.removeprefix("-")
    if not sort:
        return items
    if field not in listable.sortable:
        raise invalid("sort", f"must be one of {', '.join(sorted(listable.sortable))}, or that after a minus sign")
    return sorted(items, key=lambda item: _rank(field, item), reverse=sort != field)


def _rank(field: str, item: Json) -> tuple[bool, Decimal, str]:
    value = item.get(field)
    if field in _MONEY_FIELDS and value is not None:
        return True, Decimal(value), ""
    return value is not None, Decimal(0), str(value)


def _digest(listable: Listable, query: Mapping[str, str]) -> str:
    asked = [query.get(name) for name in (*listable.filters, "from", "to", "sort")]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


def _cursor(last: str, digest: str) -> str:
    return base64.urlsafe_b64encode(f"{digest}:{last}".encode()).decode()


def _start(found: Sequence[Json], cursor: str, digest: str) -> int:
    # The last item given, not a number: what is added meanwhile shifts nothing.
    places = {_cursor(item["id"], digest): place for place, item in enumerate(found, 1)}
    if cursor not in places:
        raise invalid("cursor", "is not one of this listing")
    return places[cursor]
