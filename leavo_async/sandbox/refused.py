"""The exception that carries a refusal from deep inside to the face."""

from leavo_async.sandbox.messages import Refusal


class Refused(Exception):
    """The call cannot be carried out, for this reason."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
