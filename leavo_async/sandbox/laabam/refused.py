"""What Laabam refuses. Only `insufficient_scope` is a documented code; 400 for bad input is a guess."""

from collections.abc import Sequence

from leavo_async.sandbox.messages import Refusal
from leavo_async.sandbox.refused import Refused


def invalid(field: str, reason: str) -> Refused:
    """400: this field cannot be what it is."""
    return Refused(Refusal(400, f"{field} {reason}"))


def not_found(what: str) -> Refused:
    """404: there is no such thing, or it is another company's."""
    return Refused(Refusal(404, f"There is no such {what}"))


def outside_window() -> Refused:
    """400: free text to somebody who has not written for a day."""
    return Refused(Refusal(400, "Free text needs an open service window: send a template", "outside_service_window"))


def no_scope(scopes: Sequence[str], *, named: bool) -> Refused:
    """403: the key may not do this. named: whether it says which scope would let it."""
    details = {"scope": scopes[0]} if named else {}
    message = f"The key lacks the scope {scopes[0]}" if named else "The key lacks a scope"
    return Refused(Refusal(403, message, "insufficient_scope", details))
