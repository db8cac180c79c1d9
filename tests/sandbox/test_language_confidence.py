"""Language Confidence's face: what it refuses of a request and of its audio, and the shapes of its scores."""

import base64
import io
import json
import wave
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from leavo_async.sandbox import FixedWindow, Sandbox

KEY = {"api-key": "sandbox-key"}
PRONUNCIATION = "/pronunciation/us"
SCRIPTED = "/speech-assessment/scripted/us"
UNSCRIPTED = "/speech-assessment/unscripted/us"

AskAs = Callable[..., Awaitable[Any]]


def wav(
    seconds: float = 0.01, *, rate: int = 16_000, width: int = 2, channels: int = 1, sample: bytes = b"\x01"
) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setframerate(rate)
        writer.setsampwidth(width)
        writer.setnchannels(channels)
        writer.writeframes(sample * (round(seconds * rate) * width * channels))
    return file.getvalue()


def body(audio: bytes = b"", form: str = "wav", text: str | None = "Good morning, you two", **more: Any) -> Any:
    encoded = base64.b64encode(audio or wav()).decode()
    return {"audio_base64": encoded, "audio_format": form, **({"expected_text": text} if text else {}), **more}


@pytest.fixture
def ask(ask_as: AskAs) -> AskAs:
    async def ask(sandbox: Sandbox, path: str, sent: Any, *, key: dict[str, str] = KEY, **options: Any) -> Any:
        return await ask_as(sandbox, key, "POST", path, json=sent, **options)

    return ask


def speaking(**settings: Any) -> Sandbox:
    return Sandbox(api="language_confidence", **settings)


# --- scores -------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_pronunciation_has_scores_of_words_and_phonemes(ask: AskAs) -> None:
    """The words are those of the text; the worst phonemes stand for themselves."""
    async with speaking() as sandbox:
        reply = await ask(sandbox, PRONUNCIATION, body(user_metadata={"speaker_age": "adult"}))

    said = reply.json
    phonemes = [phoneme for word in said["words"] for phoneme in word["phonemes"]]
    numbers = [
        said["overall_score"],
        *(w["word_score"] for w in said["words"]),
        *(p["phoneme_score"] for p in phonemes),
    ]
    assert ["Good", "morning,", "you", "two"] == [word["word_text"] for word in said["words"]]
    assert [*"goodmorningyoutwo"] == [phoneme["ipa_label"] for phoneme in phonemes]
    assert all(0 <= number <= 100 for number in numbers)
    assert sorted(phonemes, key=lambda p: p["phoneme_score"])[:3] == said["lowest_scoring_phonemes"]
    assert ["mock_ielts", "mock_cefr", "mock_pte"] == list(said["english_proficiency_scores"])
    assert (200, "Good morning, you two", []) == (reply.status, said["expected_text"], said["warnings"])


@pytest.mark.asyncio
async def test_a_scripted_assessment_has_reading_and_relevance(ask: AskAs) -> None:
    """Relevance is a number from 0 to 100 here."""
    async with speaking() as sandbox:
        said = (await ask(sandbox, SCRIPTED, body())).json

    assert ["overall", "pronunciation", "fluency", "reading", "warnings", "metadata"] == list(said)
    assert {"overall_score", "metrics", "feedback"} == set(said["fluency"])
    assert "Good morning, you two" == said["metadata"]["predicted_text"]
    assert 0 <= said["metadata"]["content_relevance"] <= 100


@pytest.mark.asyncio
async def test_an_unscripted_assessment_has_grammar_and_vocabulary(ask: AskAs) -> None:
    """It needs no text, takes a context, and relevance is a class."""
    async with speaking() as sandbox:
        said = (await ask(sandbox, UNSCRIPTED, body(text=None, context={"question": "How are you?"}))).json

    assert ["overall", "pronunciation", "fluency", "grammar", "vocabulary", "warnings", "metadata"] == list(said)
    assert "relevant" == said["metadata"]["content_relevance"]
    words = [word["word_text"] for word in said["pronunciation"]["words"]]
    assert words == said["metadata"]["predicted_text"].split()


@pytest.mark.parametrize(("path", "text"), [(SCRIPTED, "Good day"), (UNSCRIPTED, None)])
@pytest.mark.parametrize(("value", "there"), [("true", False), ("false", True)])
@pytest.mark.asyncio
async def test_beta_features_take_reading_and_relevance_away(
    ask: AskAs, path: str, text: str | None, value: str, there: bool
) -> None:
    """What comes in their place is not known; nothing else changes."""
    async with speaking() as sandbox:
        plain = (await ask(sandbox, path, body(text=text))).json
        said = (await ask(sandbox, path, body(text=text), headers={"lc-beta-features": value})).json

    assert there == ("content_relevance" in said["metadata"])
    assert (there and path == SCRIPTED) == ("reading" in said)
    assert plain["pronunciation"] == said["pronunciation"]


@pytest.mark.asyncio
async def test_the_same_audio_gets_the_same_scores(ask: AskAs) -> None:
    """Another seed, audio, text or accent gets others."""

    async def scores(seed: int = 0, path: str = PRONUNCIATION, **of: Any) -> Any:
        async with speaking(seed=seed) as sandbox:
            return (await ask(sandbox, path, body(**of))).json

    first = await scores()
    others = [await scores(1), await scores(path="/pronunciation/uk"), await scores(audio=wav(0.02))]

    assert first == await scores()
    assert all(first["words"] != other["words"] for other in others)


@pytest.mark.parametrize("accent", ["us", "uk", "au", "en-scotland"])
@pytest.mark.asyncio
async def test_any_accent_is_taken(ask: AskAs, accent: str) -> None:
    """Nobody knows all there are."""
    async with speaking() as sandbox:
        assert 200 == (await ask(sandbox, f"/pronunciation/{accent}", body())).status


@pytest.mark.parametrize(("path", "text"), [(PRONUNCIATION, "Good day"), (SCRIPTED, "Good day"), (UNSCRIPTED, None)])
@pytest.mark.asyncio
async def test_silence_is_a_poor_result_and_no_error(ask: AskAs, path: str, text: str | None) -> None:
    """A warning, no words and no score: a client must look at more than the status."""
    async with speaking() as sandbox:
        reply = await ask(sandbox, path, body(wav(sample=b"\x00"), text=text))

    found = reply.json.get("pronunciation", reply.json)
    assert (200, 1, [], 0) == (reply.status, len(reply.json["warnings"]), found["words"], found["overall_score"])


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [{}, {"api-key": "wrong"}, {"Authorization": "Bearer sandbox-key"}])
@pytest.mark.asyncio
async def test_a_request_without_a_known_key_is_refused(ask: AskAs, key: dict[str, str]) -> None:
    """The key is the bare value of its own header."""
    async with speaking() as sandbox:
        reply = await ask(sandbox, PRONUNCIATION, body(), key=key)

    assert (401, str) == (reply.status, type(reply.json["detail"]))


def without(name: str) -> Any:
    return {key: value for key, value in body().items() if key != name}


FAULTS = [
    (PRONUNCIATION, body(request_id="1"), [("request_id", "extra_forbidden")]),
    (PRONUNCIATION, body(context={}), [("context", "extra_forbidden")]),
    (SCRIPTED, body(user_metadata={}), [("user_metadata", "extra_forbidden")]),
    (
        SCRIPTED,
        body(text=None, reference_text="x"),
        [("expected_text", "missing"), ("reference_text", "extra_forbidden")],
    ),
    (UNSCRIPTED, body(), [("expected_text", "extra_forbidden")]),
    (UNSCRIPTED, body(text=None, context="question"), [("context", "dict_type")]),
    (PRONUNCIATION, without("audio_base64"), [("audio_base64", "missing")]),
    (PRONUNCIATION, {}, [("audio_base64", "missing"), ("audio_format", "missing"), ("expected_text", "missing")]),
    (PRONUNCIATION, {**body(), "expected_text": ""}, [("expected_text", "string_too_short")]),
    (PRONUNCIATION, {**body(), "expected_text": 5}, [("expected_text", "string_type")]),
    (PRONUNCIATION, body(form="WAV"), [("audio_format", "enum")]),
    (PRONUNCIATION, body(form=""), [("audio_format", "string_too_short")]),
    (PRONUNCIATION, body(form="flac"), [("audio_format", "enum")]),
]


@pytest.mark.parametrize(("path", "sent", "faults"), FAULTS)
@pytest.mark.asyncio
async def test_a_wrong_body_is_a_422_with_all_that_is_wrong(
    ask: AskAs, path: str, sent: Any, faults: list[tuple[str, str]]
) -> None:
    """Each with its place, words and a type; a key too many is as wrong as one too few."""
    async with speaking() as sandbox:
        reply = await ask(sandbox, path, sent)

    assert (422, [(["body", name], kind) for name, kind in faults]) == (
        reply.status,
        [(each["loc"], each["type"]) for each in reply.json["detail"]],
    )
    assert all(each["msg"] for each in reply.json["detail"])


@pytest.mark.parametrize("data", [b"", b"audio_base64=x", b"[]"])
@pytest.mark.asyncio
async def test_a_body_that_is_no_json_object_is_a_422(ask_as: AskAs, data: bytes) -> None:
    """A form or a file is not taken."""
    async with speaking() as sandbox:
        reply = await ask_as(sandbox, KEY, "POST", PRONUNCIATION, data=data)

    assert (422, ["body"]) == (reply.status, reply.json["detail"][0]["loc"])


def encoded(text: str) -> Any:
    return {**body(), "audio_base64": text}


WHOLE = base64.b64encode(wav()).decode()
BAD_AUDIO = [
    (encoded("not base64!"), "not base64"),
    (encoded(f"data:audio/wav;base64,{WHOLE}"), "prefix must be left out"),
    (encoded(WHOLE.rstrip("=") + "A"), "not base64"),
    (encoded("é"), "not base64"),
    (encoded(f"{WHOLE[:8]}!!!!{WHOLE[8:]}"), "not base64"),
    (body(wav(), "mp3"), "no mp3"),
    (body(b"ID3", "wav"), "no wav"),
    (body(b"RIFF\0\0\0\0WAVE"), "header"),
    (body(b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0"), "header"),
    (body(wav()[:24] + bytes(4) + wav()[28:]), "header"),
    (body(wav(rate=15_999)), "at least 16000 Hz"),
    (body(wav(width=1)), "at least 16 bits"),
    (body(wav(channels=3)), "mono or stereo"),
]


@pytest.mark.parametrize(("sent", "words"), BAD_AUDIO)
@pytest.mark.asyncio
async def test_audio_that_cannot_be_scored_is_a_400_with_a_reason(ask: AskAs, sent: Any, words: str) -> None:
    """In one sentence."""
    async with speaking() as sandbox:
        reply = await ask(sandbox, PRONUNCIATION, sent)

    assert (400, True) == (reply.status, words in reply.json["detail"])


@pytest.mark.parametrize(
    ("path", "text", "longest"), [(PRONUNCIATION, "x", 30), (SCRIPTED, "x", 60), (UNSCRIPTED, None, 120)]
)
@pytest.mark.asyncio
async def test_audio_may_be_so_long(ask_as: AskAs, path: str, text: str | None, longest: int) -> None:
    """To the sample."""
    async with speaking() as sandbox:
        statuses = []
        for seconds in (longest, longest + 1 / 16_000):
            # As a file: aiohttp warns of more than a megabyte of bytes.
            sent = io.BytesIO(json.dumps(body(wav(seconds), text=text)).encode())
            statuses.append((await ask_as(sandbox, KEY, "POST", path, data=sent)).status)

    assert [200, 400] == statuses


STARTS = [
    ("mp3", b"ID3\x04"),
    ("mp3", b"\xff\xfb\x90"),
    ("mp3", b"\xff\xe3"),
    ("m4a", b"\0\0\0\x20ftypM4A "),
    ("ogg", b"OggS"),
    ("webm", b"\x1a\x45\xdf\xa3"),
    ("mp4", b"anything"),
    ("aac", b"anything"),
]


@pytest.mark.parametrize(("form", "start"), STARTS)
@pytest.mark.asyncio
async def test_other_formats_are_known_by_how_they_begin(ask: AskAs, form: str, start: bytes) -> None:
    """How long they are nobody knows without a decoder."""
    async with speaking() as sandbox:
        assert 200 == (await ask(sandbox, PRONUNCIATION, body(start, form))).status


@pytest.mark.parametrize(("headers", "status"), [({}, 422), ({"x-user-id": " "}, 422), ({"X-User-Id": "7"}, 200)])
@pytest.mark.asyncio
async def test_a_plan_by_active_users_needs_a_user(ask: AskAs, headers: dict[str, str], status: int) -> None:
    """Only when the sandbox is told so."""
    async with speaking(require_user_id=True) as strict, speaking() as lax:
        reply = await ask(strict, PRONUNCIATION, body(), headers=headers)
        free = await ask(lax, PRONUNCIATION, body(), headers=headers)

    assert (status, 200) == (reply.status, free.status)
    assert 200 == status or ["header", "x-user-id"] == reply.json["detail"][0]["loc"]


@pytest.mark.asyncio
async def test_a_route_that_is_not_there_is_a_404(ask: AskAs) -> None:
    """With a text."""
    async with speaking() as sandbox:
        reply = await ask(sandbox, "/speech-assessment/whispered/us", body())

    assert (404, str) == (reply.status, type(reply.json["detail"]))


@pytest.mark.asyncio
async def test_a_429_says_nothing_of_the_wait(ask: AskAs, clock: Any) -> None:
    """No page of the vendor's names Retry-After; one may ask for it."""
    for retry_after, expected in ((None, None), (True, "20")):
        async with speaking(limit=lambda: FixedWindow(1, 60), retry_after=retry_after, clock=clock) as sandbox:
            replies = [await ask(sandbox, PRONUNCIATION, body()) for _ in range(2)]
        assert (429, expected) == (replies[1].status, replies[1].headers.get("Retry-After"))


@pytest.mark.asyncio
async def test_nothing_is_kept(ask: AskAs) -> None:
    """Scoring changes nothing, so a request may be sent twice."""
    async with speaking() as sandbox:
        await ask(sandbox, PRONUNCIATION, body())

    assert ((), []) == (sandbox.kinds, sandbox.ledger.effects)
    with pytest.raises(RuntimeError, match="keeps nothing, no recordings"):
        sandbox.stored("recordings")
