"""Language Confidence's routes: three ways to score a recording. Nothing is kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self, TypedDict

from leavo_async.sandbox.bodies import json_answer
from leavo_async.sandbox.language_confidence.audio import decoded, is_silent
from leavo_async.sandbox.language_confidence.fields import Form, read_fields
from leavo_async.sandbox.language_confidence.refused import fault, unprocessable
from leavo_async.sandbox.language_confidence.scores import Scores
from leavo_async.sandbox.messages import Answer, Call, Done, Json, Refusal, World
from leavo_async.sandbox.refused import Refused
from leavo_async.sandbox.routes import Routes, route

_TEXTS = ("audio_base64", "audio_format", "expected_text")

# How long audio may be is documented; which other fields are taken is what clients were seen to send.
_PRONUNCIATION = Form(30.0, _TEXTS, ("user_metadata",))
_SCRIPTED = Form(60.0, _TEXTS)
_UNSCRIPTED = Form(120.0, objects=("context", "user_metadata"))


class LanguageConfidenceSettings(TypedDict, total=False):
    """What only this API can be told. require_user_id: as on plans that count active users in a month."""

    require_user_id: bool


@dataclass(frozen=True, slots=True)
class LanguageConfidenceFace:
    """Language Confidence's API: any accent is taken, as nobody knows all there are."""

    seed: int
    require_user_id: bool

    prefix = ""
    kinds = ()
    query_keys = frozenset[str]()

    @classmethod
    def born(cls, world: World, *, require_user_id: bool = False) -> Self:
        """An API whose scores come from the world's seed."""
        return cls(world.seed, require_user_id)

    def credential(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
        """The header `api-key`; None if it is not there."""
        return headers.get("api-key")

    def groups(self, method: str, segments: tuple[str, ...]) -> tuple[str, ...]:
        """None: all routes share the key's limit."""
        return ()

    def fill(self, kind: str, n: int, key: str) -> None:
        """Nothing: it has no kinds."""

    def stored(self, kind: str, key: str) -> list[Json]:
        """Nothing: it has no kinds."""
        return []

    def perform(self, call: Call) -> Done:
        """The answer to a call; never raises `Refused`."""
        try:
            scored = route(_ROUTES, call)
            self._require_user(call)
            return Done(json_answer(200, scored(self, call)))
        except Refused as refused:
            return Done(self.refuse(refused.refusal))

    def refuse(self, refusal: Refusal) -> Answer:
        """Its error: {"detail": a text, or a list of faults}."""
        detail = refusal.details.get("faults", refusal.message)
        return json_answer(refusal.status, {"detail": detail}, refusal.headers)

    def pronunciation(self, call: Call) -> Json:
        """POST /pronunciation/{accent}."""
        return self._scores(call, _PRONUNCIATION).pronunciation()

    def scripted(self, call: Call) -> Json:
        """POST /speech-assessment/scripted/{accent}."""
        scores = self._scores(call, _SCRIPTED)
        parts = () if _beta(call) else ("reading",)
        return {**scores.speech(*parts), "metadata": _metadata(call, scores, scores.score())}

    def unscripted(self, call: Call) -> Json:
        """POST /speech-assessment/unscripted/{accent}."""
        scores = self._scores(call, _UNSCRIPTED)
        relevance = "relevant" if scores.words else "not relevant"
        return {**scores.speech("grammar", "vocabulary"), "metadata": _metadata(call, scores, relevance)}

    def _scores(self, call: Call, form: Form) -> Scores:
        fields = read_fields(call.body, form)
        audio = decoded(fields["audio_base64"], fields["audio_format"], form.longest)
        salt = f"{self.seed} {'/'.join(call.segments)}"
        return Scores.of(audio, fields.get("expected_text"), silent=is_silent(audio, fields["audio_format"]), salt=salt)

    def _require_user(self, call: Call) -> None:
        if self.require_user_id and not call.headers.get("x-user-id", "").strip():
            raise unprocessable([fault("missing", "Field required", "header", "x-user-id")])


def _beta(call: Call) -> bool:
    return call.headers.get("lc-beta-features", "").lower() == "true"


def _metadata(call: Call, scores: Scores, relevance: object) -> Json:
    heard: Json = {"predicted_text": scores.predicted}
    if _beta(call):
        return heard
    return {**heard, "content_relevance": relevance, "content_relevance_feedback": "This is made up."}


_ROUTES: Routes[Callable[[LanguageConfidenceFace, Call], Json]] = {
    ("pronunciation", None): {"POST": LanguageConfidenceFace.pronunciation},
    ("speech-assessment", "scripted", None): {"POST": LanguageConfidenceFace.scripted},
    ("speech-assessment", "unscripted", None): {"POST": LanguageConfidenceFace.unscripted},
}
