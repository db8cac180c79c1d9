"""The client and a server that was written from the API's documents by somebody else."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from typing import Any

import pytest
import pytest_asyncio

from leavo_async import AuthenticationError, ConfigError, RetryPolicy, UnprocessableError
from leavo_async.apis.language_confidence import LanguageConfidenceClient
from leavo_async.sandbox import Fault, Sandbox

TEXT = "The weather is fine today."
QUICK = RetryPolicy(first_delay=0.001, max_delay=0.002)


def recorded(seconds: float = 15, channels: int = 1, silent: bool = False) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((channels, 2, 16_000, 0, "NONE", ""))
        frames = int(seconds * 16_000) * channels
        sound.writeframes(bytes(2 * frames) if silent else b"\x10\x20" * frames)
    return file.getvalue()


def client_of(sandbox: Sandbox, **options: Any) -> LanguageConfidenceClient:
    where = {"base_url": sandbox.base_url, "allow_insecure_loopback": True, "retry": QUICK}
    return LanguageConfidenceClient(*sandbox.credentials, **{**where, **options})


@pytest_asyncio.fixture
async def speech(language_confidence_sandbox: Sandbox) -> AsyncGenerator[LanguageConfidenceClient, None]:
    async with client_of(language_confidence_sandbox) as client:
        yield client


@pytest.mark.asyncio
async def test_a_recording_is_scored_in_three_ways(speech: LanguageConfidenceClient) -> None:
    """The scores that the documents name are where the models have them."""
    score = await speech.pronunciation(recorded(), TEXT)
    scripted = await speech.scripted(recorded(), TEXT, accent="uk")
    free = await speech.unscripted(recorded(), context={"question": "What is the weather like?"})

    assert 0 <= score.overall_score <= 100
    assert [str(word.word_text).lower().strip(".") for word in score.words] == ["the", "weather", "is", "fine", "today"]
    assert score.words[0].phonemes[0].ipa_label
    assert score.lowest_scoring_phonemes
    assert score.english_proficiency_scores is not None
    assert scripted.overall.overall_score is not None
    assert scripted.metadata is not None
    assert isinstance(scripted.metadata.content_relevance, float)
    assert free.overall.overall_score is not None
    assert free.metadata is not None
    assert isinstance(free.metadata.content_relevance, str)
    assert free.grammar is not None
    assert free.vocabulary is not None
    assert [each.is_poor for each in (score, scripted, free)] == [False] * 3
    assert "weather" in score._repr_html_()


@pytest.mark.asyncio
async def test_silence_is_a_success_and_poor(speech: LanguageConfidenceClient) -> None:
    """The status does not tell; `is_poor` does."""
    found = [
        await speech.pronunciation(recorded(silent=True), TEXT),
        await speech.scripted(recorded(silent=True), TEXT),
        await speech.unscripted(recorded(silent=True)),
    ]

    assert [each.is_poor for each in found] == [True] * 3


@pytest.mark.asyncio
async def test_everything_that_may_be_given_is_taken(speech: LanguageConfidenceClient) -> None:
    """Every field under its documented name; the server refuses others."""
    who = {"speaker_gender": "female", "speaker_age": "adult", "speaker_english_level": "advanced"}
    about = {"question": "Why?", "context_description": "An interview.", "valid_answer_description": "A reason."}

    await speech.pronunciation(recorded(), TEXT, user_metadata=who, user_id="7", headers={"lc-beta-features": "false"})
    await speech.unscripted(recorded(), context=about, user_metadata=who)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["pronunciation", "scripted", "unscripted"])
async def test_what_we_refuse_the_server_refuses_and_what_we_send_it_takes(
    language_confidence_sandbox: Sandbox, speech: LanguageConfidenceClient, kind: str
) -> None:
    """The longest recording, to the sample."""
    longest = {"pronunciation": 30, "scripted": 60, "unscripted": 120}[kind]
    text = {} if kind == "unscripted" else {"expected_text": TEXT}
    with pytest.warns(UserWarning, match="are recommended here"):
        await getattr(speech, kind)(recorded(longest), **text)
    with pytest.raises(ConfigError, match="the length is"):
        await getattr(speech, kind)(recorded(longest + 1), **text)

    assert language_confidence_sandbox.ledger.count(status=200) == len(language_confidence_sandbox.ledger.requests) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(status=503), Fault(status=429), Fault(reset="before"), Fault(reset="after")]
)
async def test_a_call_that_failed_for_a_moment_is_made_again(
    language_confidence_sandbox: Sandbox, speech: LanguageConfidenceClient, fault: Fault
) -> None:
    """Also if its answer was lost: scoring changes nothing."""
    language_confidence_sandbox.script(fault)
    await speech.pronunciation(recorded(), TEXT)

    assert len(language_confidence_sandbox.ledger.requests) == 2


@pytest.mark.asyncio
async def test_a_plan_by_users_gets_the_user_of_each_call() -> None:
    """The server asks for one; a call for nobody is refused here, so it does not even arrive."""
    speaker: ContextVar[str] = ContextVar("speaker")
    async with Sandbox(api="language_confidence", require_user_id=True) as sandbox:
        async with client_of(sandbox, user_id=speaker, require_user_id=True) as speech:
            with pytest.raises(ConfigError, match="x-user-id"):
                await speech.pronunciation(recorded(), TEXT)
            speaker.set("3f1c2a90-0000-4000-8000-000000000000")
            await speech.pronunciation(recorded(), TEXT)
            await speech.pronunciation(recorded(), TEXT, user_id="42")
        async with client_of(sandbox) as careless:
            with pytest.raises(UnprocessableError, match="x-user-id"):
                await careless.pronunciation(recorded(), TEXT)
        assert [entry.status for entry in sandbox.ledger.requests] == [200, 200, 422]


@pytest.mark.asyncio
async def test_the_servers_words_are_in_the_error(
    language_confidence_sandbox: Sandbox, speech: LanguageConfidenceClient
) -> None:
    """Of a field that it does not know, and of a key; what was said is not."""
    body = {"audio_base64": "AAAA", "audio_format": "wav", "expected_text": "canary", "name": "x"}
    with pytest.raises(UnprocessableError, match=r"body\.name: Extra inputs are not permitted") as refused:
        await speech.request("POST", "/pronunciation/us", json=body)
    where: Any = {"base_url": language_confidence_sandbox.base_url, "allow_insecure_loopback": True}
    async with LanguageConfidenceClient("another-made-up-key", **where) as other:
        with pytest.raises(AuthenticationError, match="LANGUAGE_CONFIDENCE_API_KEY"):
            await other.pronunciation(recorded(), TEXT)

    assert "canary" not in str(refused.value)
