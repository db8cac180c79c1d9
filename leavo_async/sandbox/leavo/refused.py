"""What Leavo refuses, in its words."""

from leavo_async.sandbox.messages import Refusal
from leavo_async.sandbox.refused import Refused


def invalid(field: str, reason: str) -> Refused:
    """400: this field cannot be what it is."""
    return Refused(Refusal(400, f"Invalid {field}: {reason}", details={"field": field, "reason": reason}))


def missing(field: str) -> Refused:
    """400: this field has to be there."""
    return Refused(Refusal(400, f"Field {field} is required", "MISSING_FIELD", {"field": field}))


def not_found(what: str) -> Refused:
    """404: there is no such thing."""
    return Refused(Refusal(404, f"{what} not found"))


def phone_taken() -> Refused:
    """409: another lead has this phone. The number is not repeated: a client's log is no place for it."""
    return Refused(Refusal(409, "A lead with this phone already exists", details={"field": "phone"}))
