"""What agentOS answers: fields under the names that it gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from leavo_async.apis.shapes import Answer, Id


class Details(Answer):
    """An answer with its fields as attributes, under agentOS's own names: `slot.Start`.

    No field is promised: of V4 no specification was found. repr shows no values (model_dump() shows all).
    """

    shown: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class Record(Details):
    """An object of agentOS, such as a branch, a property or a person.

    OID: its id, which other calls ask for as the branch ID, the property ID, and so on. ETag: changes when it changes.
    https://letmc.zendesk.com/hc/en-us/articles/20070864478237
    """

    shown = ("OID",)

    OID: Id
    ETag: str | None = None
