"""What agentOS answers: fields under the names that it gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict


class Details(BaseModel):
    """An answer with its fields as attributes, under agentOS's own names: `slot.Start`.

    No field is promised: of V4 no specification was found. repr shows no values (model_dump() shows all).
    """

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __repr_args__(self) -> Any:
        return []

    def __str__(self) -> str:
        return repr(self)


class Record(Details):
    """An object of agentOS, such as a branch, a property or a person.

    OID: its id, which other calls ask for as the branch ID, the property ID, and so on. ETag: changes when it changes.
    https://letmc.zendesk.com/hc/en-us/articles/20070864478237
    """

    OID: str
    ETag: str | None = None

    def __repr_args__(self) -> Any:
        return [("OID", self.OID)]
