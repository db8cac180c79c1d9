"""What an import does with each row: one kind of write, as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]


class InvalidRowError(Exception):
    """The row cannot be sent; the message says why, without its values."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of write, for a BulkJob: of any API, as long as it can be told whether it was done.

        Operation("customers", "POST", "/customers", fields={"name": True, "email": True}, body=checked_customer)

    name: of what is written, in the plural. method, path: the call; {names} in the path are path_params of the session.
    fields: the fields that a row may fill, and whether no row may go without. open_prefix: see `plan_mapping`.
    body: what is sent for a row's fields; raises InvalidRowError if they cannot be right. What it gives is frozen: it
        is kept as JSON and sent as it is, however often.
    natural_key: fields of the body that tell what it is about, such as ("phone",): of the rows of a source that have
        the same, one is sent.
    is_unique: whether the server has each natural key once at the most, and refuses a second with a conflict. If not,
        what was there before a row was sent does not show that it was done: the listing is then read before the first
        row as well, and only what is new in it counts. That needs a `lookup`, not one of the profile's route.
    lookup: the listing in which a body's thing would stand, as its path and filters; default that of the profile's
        route.
    same: whether an item of that listing is the body's thing.
    sees_all: whether the listing shows everything, so that what is not in it is not there.
    answer: the type of the answer, anything that pydantic can validate; None takes any JSON.
    id_of: the server's name for what was written, from the answer or from an item of the listing; None if it has none.
    """

    name: str
    method: str
    path: str
    fields: Mapping[str, bool]
    body: Callable[[dict[str, Any]], Body]
    open_prefix: str | None = None
    natural_key: tuple[str, ...] = ()
    is_unique: bool = True
    lookup: Callable[[Body], tuple[str, Mapping[str, Any]]] | None = None
    same: Callable[[Body, Any], bool] = lambda body, item: False
    sees_all: bool = True
    answer: Any = None
    id_of: Callable[[Any], str | None] = lambda answer: _id(answer)


def _id(answer: Any) -> str | None:
    found = answer.get("id") if isinstance(answer, Mapping) else getattr(answer, "id", None)
    return None if found is None else str(found)
