"""What Language Confidence refuses: `detail` is a text, or a list of what is wrong with the body."""

from collections.abc import Sequence

from leavo_async.sandbox.messages import Json, Refusal
from leavo_async.sandbox.refused import Refused


def bad_audio(reason: str) -> Refused:
    """400: the audio cannot be scored."""
    return Refused(Refusal(400, f"The audio cannot be scored: {reason}"))


def unprocessable(faults: Sequence[Json]) -> Refused:
    """422: all that is wrong, each as `fault` makes it."""
    return Refused(Refusal(422, "The request is not valid", details={"faults": list(faults)}))


def fault(kind: str, message: str, *place: str) -> Json:
    """One thing that is wrong. place: "body" or "header", and the names below it."""
    return {"loc": list(place), "msg": message, "type": kind}
