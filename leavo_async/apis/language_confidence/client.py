"""The typed client of Language Confidence's speech assessment API."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Unpack

from pydantic import BaseModel

from leavo_async._io.warn import warn
from leavo_async._sansio.auth import Ask, Secret
from leavo_async._sansio.fields import merged_headers
from leavo_async._sansio.profile import ApiProfile
from leavo_async._sansio.validation import checked
from leavo_async.apis.language_confidence.audio import AudioFormat, AudioWarning, Length, checked_audio
from leavo_async.apis.language_confidence.models import (
    AnswerContext,
    PronunciationScore,
    ScriptedAssessment,
    UnscriptedAssessment,
    UserMetadata,
)
from leavo_async.apis.language_confidence.profile import (
    LANGUAGE_CONFIDENCE,
    PRONUNCIATION,
    SCRIPTED,
    UNSCRIPTED,
)
from leavo_async.apis.language_confidence.reading import Audio, read_audio
from leavo_async.apis.language_confidence.users import UserId, user_headers
from leavo_async.errors import ConfigError, LeavoError
from leavo_async.options import CallOptions, checked_options
from leavo_async.session import Session, SessionOptions

# The vendor names no timeout, other clients use 15 to 90 s: these are ours, for the longest recordings.
_TIMEOUT, _TIMEOUT_UNSCRIPTED = 60.0, 90.0
_ACCENTS = ("us", "uk")  # https://docs.languageconfidence.ai speaks of these two
# Other clients know of a limit of 300, some in words and some in characters; no document has it.
_LONG_TEXT = 300


@dataclass(frozen=True, slots=True)
class _Kind:
    """One way to be scored."""

    path: str
    length: Length
    cast_to: type[BaseModel]


# https://docs.languageconfidence.ai/docs/guides/speech-assessment-api/audio-requirements
_PRONUNCIATION = _Kind(PRONUNCIATION, Length(30, (5, 15)), PronunciationScore)
_SCRIPTED = _Kind(SCRIPTED, Length(60, (5, 15)), ScriptedAssessment)
_UNSCRIPTED = _Kind(UNSCRIPTED, Length(120, (15, 60)), UnscriptedAssessment)
_Headers = Callable[[], Mapping[str, str]]


class LanguageConfidenceClient(Session):
    """Language Confidence's speech assessment API: a Session with `pronunciation`, `scripted` and `unscripted`.

        async with LanguageConfidenceClient() as speech:
            score = await speech.pronunciation("speech.wav", "The weather is fine.")
            print(score.overall_score, [(word.word_text, word.word_score) for word in score.words])

    api_key: your key, default the environment variable LANGUAGE_CONFIDENCE_API_KEY; a Secret if it is known when it
        ends, or a coroutine function that gives it.
    user_id: who speaks, as an anonymous id; a ContextVar is looked at for each call.
    require_user_id: refuse a call for which nobody is named; plans by monthly active users need it.
    options: as for Session; timeout is 60 s if not given, and 90 s for `unscripted`.

    A recording is bytes, the path of a file, an open binary file, or an async stream, of at most 40 MB. What the API
    would not take is a ConfigError before anything is sent, what it does not recommend an AudioWarning. Reading it is
    not part of the call: timeout, deadline and signal hold from when it has been read. Scoring changes nothing at the
    server, so it is repeated after every failure that may pass; a repeat may be billed.
    Raises ConfigError without a usable key, or for a user_id that cannot be one.
    """

    def __init__(
        self,
        api_key: str | Secret | Ask | None = None,
        *,
        user_id: UserId | None = None,
        require_user_id: bool = False,
        **options: Unpack[SessionOptions],
    ) -> None:
        # The plain text leaves this frame before anything can fail.
        key, api_key = api_key if callable(api_key) else Secret.of(api_key), None
        self._timeout_unscripted = options.get("timeout", _TIMEOUT_UNSCRIPTED)
        options = {"timeout": _TIMEOUT, **options}
        super().__init__(_profile(require_user_id), key, **options)
        if user_id is not None:
            self._rules = self._rules._replace(headers=_with_user(self._rules.headers, user_id))
        _others(options.get("path_params"))

    async def pronunciation(
        self,
        audio: Audio,
        expected_text: str,
        *,
        accent: str = "us",
        audio_format: AudioFormat | None = None,
        user_metadata: UserMetadata | Mapping[str, Any] | None = None,
        user_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> PronunciationScore:
        """How well a text was pronounced: the whole, each word, each sound.

        audio: at most 30 s, best 5 to 15 s, mono, 16 kHz, WAV or MP3. accent: "us" or "uk". audio_format: None takes it
        from the first bytes. user_metadata: who speaks, if that is known. user_id: instead of the client's.
        Raises ConfigError for what cannot be scored.
        """
        fields = _text(expected_text) | _fields(UserMetadata, "user_metadata", user_metadata)
        called = _named(options, accent, user_id)
        score: PronunciationScore = await self._scored(_PRONUNCIATION, audio, audio_format, fields, called)
        return score

    async def scripted(
        self,
        audio: Audio,
        expected_text: str,
        *,
        accent: str = "us",
        audio_format: AudioFormat | None = None,
        user_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> ScriptedAssessment:
        """How well a given text was read: pronunciation, fluency, and whether it was that text.

        audio: at most 60 s, best 5 to 15 s. Otherwise, and for errors, as `pronunciation`; who speaks is not among the
        fields that are known here.
        """
        fields = _text(expected_text)
        if len(expected_text) > _LONG_TEXT:
            warn(f"expected_text: more than {_LONG_TEXT} characters; there may be a limit, which is not documented")
        called = _named(options, accent, user_id)
        found: ScriptedAssessment = await self._scored(_SCRIPTED, audio, audio_format, fields, called)
        return found

    async def unscripted(
        self,
        audio: Audio,
        *,
        context: AnswerContext | Mapping[str, Any] | None = None,
        accent: str = "us",
        audio_format: AudioFormat | None = None,
        user_metadata: UserMetadata | Mapping[str, Any] | None = None,
        user_id: str | None = None,
        **options: Unpack[CallOptions],
    ) -> UnscriptedAssessment:
        """How well somebody spoke freely: pronunciation, fluency, grammar, vocabulary, and whether it was to the point.

        audio: at most 120 s, best 15 to 60 s. context: the question and what a good answer is, for the relevance.
        user_metadata: other clients do not agree whether it may be sent here. Otherwise, and for errors, as
        `pronunciation`.
        """
        fields = _fields(AnswerContext, "context", context) | _fields(UserMetadata, "user_metadata", user_metadata)
        called: CallOptions = {"timeout": self._timeout_unscripted, **_named(options, accent, user_id)}
        found: UnscriptedAssessment = await self._scored(_UNSCRIPTED, audio, audio_format, fields, called)
        return found

    async def _scored(
        self,
        kind: _Kind,
        audio: Audio,
        audio_format: AudioFormat | None,
        fields: Mapping[str, Any],
        options: CallOptions,
    ) -> Any:
        body: Mapping[str, Any] = {**await _recorded(audio, audio_format, kind.length), **fields}
        try:
            return await self.request("POST", kind.path, json=body, cast_to=kind.cast_to, **options)
        except LeavoError as error:
            failure = error.with_traceback(None)
        # Without the frames that it came through: they hold the recording, and errors of a whole folder may be kept.
        body = {}
        raise failure


async def _recorded(audio: Audio, audio_format: AudioFormat | None, length: Length) -> dict[str, str]:
    """The fields that carry a recording which can be sent; warns of what is not recommended."""
    data = await read_audio(audio)
    recording = checked_audio(data, audio_format, length)
    for advice in recording.advice:
        warn(advice, AudioWarning)
    return {"audio_base64": b64encode(data).decode(), "audio_format": recording.format}


def _profile(require_user_id: bool) -> ApiProfile:
    rules = tuple(rule._replace(required=require_user_id) for rule in LANGUAGE_CONFIDENCE.header_rules)
    return replace(LANGUAGE_CONFIDENCE, header_rules=rules)


def _with_user(common: _Headers | None, user_id: UserId) -> _Headers:
    """The header fields of each call, with those that the caller gives for all of them."""
    user_headers(user_id)  # a bad one is refused here already

    def fields() -> Mapping[str, str]:
        return merged_headers(common() if common else {}, user_headers(user_id))

    return fields


def _named(options: CallOptions, accent: str, user_id: str | None) -> CallOptions:
    """The options of a call to this accent, for this user."""
    checked_options(options)  # before the recording is read, which can often be done only once
    if accent not in _ACCENTS:
        warn(f"accent: only {' and '.join(_ACCENTS)} are documented")
    called: CallOptions = {**options, "path_params": {**_others(options.get("path_params")), "accent": accent}}
    if user_id is not None:
        called["headers"] = merged_headers(options.get("headers") or {}, user_headers(user_id))
    return called


def _others(path_params: Mapping[str, str] | None) -> Mapping[str, str]:
    """The path_params, if they leave the accent alone: else two would be given, and one not heard of."""
    if path_params and "accent" in path_params:
        raise ConfigError("path_params: the accent is given to each call, as accent=")
    return path_params or {}


def _text(expected_text: Any) -> dict[str, Any]:
    if not isinstance(expected_text, str) or not expected_text.strip():
        raise ConfigError("expected_text: is empty; expected the text that was to be spoken")
    return {"expected_text": expected_text}


def _fields(model: type[BaseModel], name: str, value: Any) -> dict[str, Any]:
    """What stands under this name in the body; nothing if nothing is given."""
    if value is None:
        return {}
    if not isinstance(value, (Mapping, BaseModel)):
        raise ConfigError(f"{name}: expected a mapping or a {model.__name__}")
    # A model is checked again: its attributes may have been set since.
    given = checked(model, dict(value), lambda reasons: ConfigError(f"{name}: {reasons}"))
    sent = given.model_dump(exclude_none=True)
    return {name: sent} if sent else {}
