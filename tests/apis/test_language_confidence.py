"""What goes out to be scored, for whom, and what is refused or only warned of before."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import pickle
import traceback
import warnings
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses
from yarl import URL

from leavo_async import (
    AuthenticationError,
    ConfigError,
    ReadError,
    Request,
    RetryPolicy,
    Secret,
    ServerError,
    UnprocessableError,
)
from leavo_async.apis.language_confidence import (
    LANGUAGE_CONFIDENCE,
    AnswerContext,
    AudioWarning,
    LanguageConfidenceClient,
    UserMetadata,
)
from leavo_async.testing import FakeTransport, reply, virtual_time
from leavo_async.testing.fake_transport import Answer

KEY = "made-up-key-1"
TEXT = "The canary sings."
MP3 = b"ID3\x04\x00" + b"canary" * 9
SCORE = {"overall_score": 81.5, "words": [{"word_text": "canary", "word_score": 92}]}
ASSESSMENT = {"overall": {"overall_score": 77}, "pronunciation": SCORE}
STEREO = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0\2\0\x80\x3e\0\0\0\xfa\0\0\4\0\x10\0data\xff\xff\xff\xff" + bytes(
    384_000
)


def client(*answers: Answer, **options: Any) -> tuple[LanguageConfidenceClient, FakeTransport]:
    transport = FakeTransport(*(answers or (reply(200, {**SCORE, **ASSESSMENT}),)))
    return LanguageConfidenceClient(KEY, transport=transport, **options), transport


def body_of(request: Request) -> dict[str, Any]:
    assert isinstance(request.body, bytes)
    sent: dict[str, Any] = json.loads(request.body)
    return sent


def users_of(transport: FakeTransport) -> list[str | None]:
    return [request.headers.get("x-user-id") for request in transport.requests]


@virtual_time
async def test_each_method_sends_the_documented_fields_and_no_other() -> None:
    """The server refuses fields that it does not know."""
    speech, transport = client()
    await speech.pronunciation(MP3, TEXT, user_metadata={"speaker_age": "adult"})
    await speech.scripted(MP3, TEXT, accent="uk")
    await speech.unscripted(MP3, context=AnswerContext(question="Why?"), user_metadata=UserMetadata())
    await speech.unscripted(MP3)

    audio = {"audio_base64": base64.b64encode(MP3).decode(), "audio_format": "mp3"}
    sent = [(request.method, request.path, body_of(request)) for request in transport.requests]
    assert sent == [
        (
            "POST",
            "/pronunciation/us",
            {**audio, "expected_text": TEXT, "user_metadata": {"speaker_age": "adult"}},
        ),
        ("POST", "/speech-assessment/scripted/uk", {**audio, "expected_text": TEXT}),
        ("POST", "/speech-assessment/unscripted/us", {**audio, "context": {"question": "Why?"}}),
        ("POST", "/speech-assessment/unscripted/us", audio),
    ]


@pytest.mark.asyncio
async def test_the_key_travels_in_its_own_header(mocked: aioresponses, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bare, as JSON, to the address that other clients know; it comes from the environment."""
    url = "https://apis.languageconfidence.ai/pronunciation/us"
    monkeypatch.setenv("LANGUAGE_CONFIDENCE_API_KEY", KEY)
    mocked.post(url, payload=SCORE)
    async with LanguageConfidenceClient() as speech:
        score = await speech.pronunciation(MP3, TEXT)

    assert score.overall_score == 81.5
    assert not score.is_poor
    assert LANGUAGE_CONFIDENCE.auth.headers(Secret(KEY)) == {"api-key": KEY}
    (call,) = mocked.requests["POST", URL(url)]
    assert call.kwargs["headers"]["Content-Type"] == "application/json"


@virtual_time
async def test_what_comes_back_is_typed_by_its_method() -> None:
    """One model for each way to be scored."""
    speech, _ = client()
    scripted = await speech.scripted(MP3, TEXT)
    free = await speech.unscripted(MP3)

    assert (scripted.overall.overall_score, free.overall.overall_score) == (77, 77)
    assert scripted.pronunciation is not None
    assert scripted.pronunciation.words[0].word_text == "canary"


@virtual_time
async def test_scoring_is_repeated_after_an_unknown_outcome_with_growing_delays() -> None:
    """It changes nothing at the server; a 429 without a time is waited for like a 500."""
    speech, transport = client(reply(500), reply(429), ReadError("lost"), reply(200, SCORE))
    await speech.pronunciation(MP3, TEXT)

    assert len({request.body for request in transport.requests}) == 1
    assert len(transport.requests) == 4
    assert transport.moments[-1] - transport.moments[0] < 10


@pytest.mark.parametrize(
    ("options", "call", "scored"),
    [
        ({}, {}, [False, True]),
        ({"timeout": 70.0}, {}, [False, False]),
        ({"timeout": 80.0}, {}, [True, True]),
        ({}, {"timeout": 70.0}, [False, False]),
        ({}, {"timeout": 80.0}, [True, True]),
    ],
)
@virtual_time
async def test_a_free_answer_may_take_longer(options: Any, call: Any, scored: list[bool]) -> None:
    """90 s an attempt instead of 60, unless the caller says otherwise: to the client or to the call."""
    slow = FakeTransport(reply(200, {**SCORE, **ASSESSMENT}), seconds=75)
    speech = LanguageConfidenceClient(KEY, transport=slow, retry=RetryPolicy(max_attempts=1), **options)
    found = await asyncio.gather(
        speech.pronunciation(MP3, TEXT, **call), speech.unscripted(MP3, **call), return_exceptions=True
    )

    assert [not isinstance(each, TimeoutError) for each in found] == scored


@virtual_time
async def test_the_user_is_the_calls_then_the_clients() -> None:
    """And nobody, where nobody is named."""
    speech, transport = client(user_id="7", headers={"lc-beta-features": "false"})
    nobody, anonymous = client()
    await speech.pronunciation(MP3, TEXT)
    await speech.scripted(MP3, TEXT, user_id="8", headers={"X-Extra": "1"})
    await speech.unscripted(MP3, user_id="9", headers={"X-User-ID": "1"})
    await nobody.pronunciation(MP3, TEXT)

    assert users_of(transport) == ["7", "8", "9"]
    assert users_of(anonymous) == [None]
    assert [request.headers["lc-beta-features"] for request in transport.requests] == ["false"] * 3
    assert transport.requests[1].headers["X-Extra"] == "1"
    assert "X-User-ID" not in transport.requests[2].headers


@pytest.mark.parametrize("headers", [{"api-key": "another"}, {"X-A": "a\r\nb"}, [("X-A", "a")]])
def test_headers_that_cannot_be_are_refused_at_once(headers: Any) -> None:
    """As every session does, also beside a user."""
    with pytest.raises(ConfigError, match=r"^headers: "):
        client(user_id="7", headers=headers)


@virtual_time
async def test_a_context_variable_gives_each_request_its_own_user() -> None:
    """A web app sets it in each request, None for nobody; calls at the same time do not mix."""
    user: ContextVar[str | None] = ContextVar("user")
    common = iter(["a", "b", "c", "d"])
    speech, transport = client(user_id=user, headers=lambda: {"X-Trace": next(common)})

    async def request_of(name: str | None) -> None:
        user.set(name)
        await speech.pronunciation(MP3, TEXT)

    await asyncio.gather(request_of("7"), request_of("8"), request_of(None))
    await speech.pronunciation(MP3, TEXT)

    assert sorted(map(str, users_of(transport))) == ["7", "8", "None", "None"]
    assert sorted(request.headers["X-Trace"] for request in transport.requests) == ["a", "b", "c", "d"]


@virtual_time
async def test_a_plan_by_active_users_refuses_calls_for_nobody() -> None:
    """However the user is named, it must be somebody; other clients are not touched."""
    speech, transport = client(require_user_id=True)
    with pytest.raises(ConfigError, match="x-user-id: is missing; pass user_id="):
        await speech.pronunciation(MP3, TEXT)
    with pytest.raises(ConfigError, match="x-user-id: is missing; pass user_id="):
        await speech.request("GET", "/anything")
    assert transport.requests == []

    await speech.pronunciation(MP3, TEXT, user_id="7")
    await speech.pronunciation(MP3, TEXT, headers={"x-user-id": "8"})
    assert users_of(transport) == ["7", "8"]
    other, _ = client()
    await other.pronunciation(MP3, TEXT)


@pytest.mark.parametrize("person", ["canary@example.com", "a@example.com,canary@example.com", "canary%40example.com"])
@virtual_time
async def test_a_user_who_can_be_recognised_is_refused_wherever_he_is_named(person: str) -> None:
    """By the client, by a call, by a header: and never shown."""
    with pytest.raises(ConfigError, match=r"^user_id: it looks like an e-mail address") as caught:
        client(user_id=person)
    speech, transport = client(user_id="7")
    for call in ({"user_id": person}, {"headers": {"x-user-id": person}}):
        with pytest.raises(ConfigError, match="it looks like an e-mail address") as caught:
            await speech.pronunciation(MP3, TEXT, **call)
        assert "canary" not in str(caught.value)
    assert transport.requests == []


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"expected_text": " \n"}, "^expected_text: is empty"),
        ({"expected_text": None}, "^expected_text: is empty"),
        ({"expected_text": "\ud800canary"}, "^json: "),
        ({"audio": b""}, "^audio: there is nothing in it"),
        ({"audio": b"canary"}, "^audio: not a recording"),
        ({"audio_format": "wav"}, "^audio_format='wav': the recording is mp3"),
        ({"user_metadata": {"name": "canary"}}, "^user_metadata: name: Extra inputs"),
        ({"user_metadata": "canary"}, "^user_metadata: expected a mapping or a UserMetadata"),
        ({"user_metadata": {"speaker_age": 7}}, "^user_metadata: speaker_age: "),
        ({"user_metadata": UserMetadata.model_construct(speaker_age=7)}, "^user_metadata: speaker_age: "),
    ],
)
@virtual_time
async def test_what_cannot_be_scored_is_refused_before_it_is_sent(call: Any, reason: str) -> None:
    """With the reason, and without what was said or who said it."""
    speech, transport = client()
    with pytest.raises(ConfigError, match=reason) as caught:
        await speech.pronunciation(**{"audio": MP3, "expected_text": TEXT, **call})

    assert transport.requests == []
    assert "canary" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("accent", ["", "..", "u/s\n"])
@virtual_time
async def test_an_accent_cannot_leave_its_place_in_the_path(accent: str) -> None:
    """It is one segment of it."""
    speech, transport = client()
    with pytest.warns(UserWarning, match="accent"), pytest.raises(ConfigError, match=r"^accent: "):
        await speech.pronunciation(MP3, TEXT, accent=accent)
    assert transport.requests == []


@virtual_time
async def test_the_accent_has_one_place() -> None:
    """Where a path parameter would be overruled without a word, and the recording scored by another accent."""
    speech, transport = client()
    with pytest.raises(ConfigError, match=r"^path_params: the accent is given to each call, as accent="):
        await speech.pronunciation(MP3, TEXT, path_params={"accent": "uk"})
    with pytest.raises(ConfigError, match=r"^path_params: the accent"):
        client(path_params={"accent": "uk"})
    assert transport.requests == []

    await speech.pronunciation(MP3, TEXT, accent="uk", path_params=None)  # type: ignore[arg-type]
    assert transport.requests[0].path == "/pronunciation/uk"


@pytest.mark.parametrize("option", [{"path_params": 5}, {"headers": 5, "user_id": "7"}, {"timeout": 0}])
@virtual_time
async def test_an_option_that_cannot_work_leaves_the_recording_unread(option: Any) -> None:
    """A stream can be read only once, so the call could not be made again without its fault."""
    speech, transport = client()
    recording = io.BytesIO(MP3)
    with pytest.raises(ConfigError, match=f"^{next(iter(option))}: expected"):
        await speech.pronunciation(recording, TEXT, **option)

    assert (recording.tell(), transport.requests) == (0, [])


@virtual_time
async def test_what_is_only_undocumented_is_sent_with_a_warning() -> None:
    """Another accent, and a long text."""
    speech, transport = client()
    with pytest.warns(UserWarning, match="accent: only us and uk are documented"):
        await speech.pronunciation(MP3, TEXT, accent="au")
    with pytest.warns(UserWarning, match="expected_text: more than 300 characters"):
        await speech.scripted(MP3, "word " * 61)
    await speech.scripted(MP3, "x" * 300)

    assert [request.path for request in transport.requests] == [
        "/pronunciation/au",
        "/speech-assessment/scripted/us",
        "/speech-assessment/scripted/us",
    ]


@virtual_time
async def test_a_recording_that_is_not_as_recommended_is_sent_with_a_warning_at_the_callers_line() -> None:
    """Of a category of its own, so that it can be silenced alone."""
    speech, transport = client()
    with pytest.warns(AudioWarning, match="mono is recommended") as caught:
        await speech.pronunciation(STEREO, TEXT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        await speech.pronunciation(STEREO, TEXT)

    assert caught[0].filename == __file__
    assert len(transport.requests) == 2


@virtual_time
async def test_each_way_has_its_longest_recording() -> None:
    """30, 60 and 120 s."""
    speech, transport = client()
    head = STEREO[:44]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        for seconds, score in (
            (30, lambda audio: speech.pronunciation(audio, TEXT)),
            (60, lambda audio: speech.scripted(audio, TEXT)),
            (120, lambda audio: speech.unscripted(audio)),
        ):
            fits = head + bytes(64_000 * seconds)
            await score(fits)
            with pytest.raises(ConfigError, match=f"at most {seconds} s is allowed"):
                await score(fits + bytes(64_000))
    assert len(transport.requests) == 3


@virtual_time
async def test_each_way_has_its_best_lengths() -> None:
    """5 to 15 s for a given text, 15 to 60 s for a free answer; both ends are still good."""
    speech, _ = client()
    mono = STEREO[:22] + b"\1" + STEREO[23:44]
    scores: dict[Any, tuple[int, int]] = {
        lambda audio: speech.pronunciation(audio, TEXT): (5, 15),
        lambda audio: speech.scripted(audio, TEXT): (5, 15),
        lambda audio: speech.unscripted(audio): (15, 60),
    }
    for score, (least, most) in scores.items():
        await score(mono + bytes(32_000 * least))
        await score(mono + bytes(32_000 * most))
        for seconds in (least - 1, most + 1):
            with pytest.warns(AudioWarning, match=f"{least} to {most} s are recommended here"):
                await score(mono + bytes(32_000 * seconds))


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("Audio could not be decoded.", "Audio could not be decoded."),
        ([{"loc": ["body", "expected_text"], "msg": "Field required", "type": "missing"}], "Field required"),
    ],
)
@virtual_time
async def test_the_servers_reason_is_in_the_error(detail: Any, words: str) -> None:
    """Whether it gives a sentence or a list; what was sent is not there."""
    speech, _ = client(reply(422, {"detail": detail}))
    with pytest.raises(UnprocessableError, match=words) as caught:
        await speech.pronunciation(MP3, TEXT)

    assert "canary" not in repr(caught.value) + str(caught.value)


@virtual_time
async def test_the_error_for_a_bad_key_names_the_variable() -> None:
    """And that the key may be one for another way in."""
    with pytest.raises(ConfigError, match="set LANGUAGE_CONFIDENCE_API_KEY"):
        LanguageConfidenceClient("  ")
    speech, _ = client(reply(401, {"detail": "Invalid key"}))
    with pytest.raises(AuthenticationError, match=r"another front door of the API.*LANGUAGE_CONFIDENCE_API_KEY"):
        await speech.pronunciation(MP3, TEXT)


@pytest.mark.asyncio
async def test_an_error_keeps_no_recording(tmp_path: Path) -> None:
    """Whoever scores a folder while the server is down keeps an error for each file, and its traceback with it."""
    (tmp_path / "a.mp3").write_bytes(MP3 + bytes(100_000))
    speech, _ = client(reply(500), retry=RetryPolicy(max_attempts=1))

    with pytest.raises(ServerError) as caught:
        await speech.pronunciation(tmp_path / "a.mp3", TEXT)

    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    ours = [frame for frame in frames if "/leavo_async/" in frame.f_code.co_filename]
    held = [name for frame in ours for name, value in frame.f_locals.items() if len(pickled(value)) > 50_000]
    assert ours
    assert [] == held
    assert caught.value.__context__ is None


def pickled(value: Any) -> bytes:
    """All that hangs on a value, as far as it can be told."""
    try:
        return pickle.dumps(value)
    except (TypeError, AttributeError):
        return repr(getattr(value, "request", value)).encode()
