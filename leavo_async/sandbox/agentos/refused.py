"""What agentOS refuses. No value that a client gave is repeated: it may be somebody's."""

from leavo_async.sandbox.messages import Refusal
from leavo_async.sandbox.refused import Refused


def invalid(name: str, reason: str) -> Refused:
    """400: this field or parameter cannot be what it is."""
    return Refused(Refusal(400, f"{name} {reason}."))


def missing(name: str) -> Refused:
    """400: this field or parameter has to be there."""
    return Refused(Refusal(400, f"{name} is required."))


def not_found(kind: str) -> Refused:
    """404: there is no such record of this kind."""
    return Refused(Refusal(404, f"There is no such record among the {kind}."))
