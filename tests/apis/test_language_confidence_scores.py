"""What comes back, what is shown of it, and what may be sent beside a recording."""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import Any

import pytest
from pydantic import ValidationError

from leavo_async import ConfigError
from leavo_async.apis.language_confidence.models import (
    AnswerContext,
    PronunciationScore,
    ScriptedAssessment,
    UnscriptedAssessment,
    UserMetadata,
)
from leavo_async.apis.language_confidence.users import problem_of_user_id, user_headers

PRONUNCIATION: Any = {
    "overall_score": 81.5,
    "words": [
        {"word_text": "canary", "word_score": 92, "phonemes": [{"ipa_label": "k", "phoneme_score": 95}]},
        {"word_text": "<b>sings</b>", "word_score": 40, "phonemes": []},
        {"word_text": "now"},
    ],
    "lowest_scoring_phonemes": [{"ipa_label": "ŋ", "phoneme_score": 12}],
    "expected_text": "canary sings now",
    "english_proficiency_scores": {"mock_ielts": {"prediction": 6.5}, "mock_cefr": {"prediction": "B2"}},
    "warnings": {},
    "canary": "new",
}
SCRIPTED: Any = {
    "overall": {"overall_score": 77.0},
    "pronunciation": PRONUNCIATION,
    "fluency": {"overall_score": 70, "metrics": {"pauses": 2}, "feedback": {"pauses": {"feedback_code": "NORMAL"}}},
    "reading": {"accuracy": 99},
    "metadata": {"predicted_text": "canary sings", "content_relevance": 66},
}


def test_scores_are_typed() -> None:
    """With what the documents name, and what they do not."""
    score = PronunciationScore.model_validate(PRONUNCIATION)

    assert [word.word_score for word in score.words] == [92, 40, None]
    assert score.words[0].phonemes[0].ipa_label == "k"
    assert score.lowest_scoring_phonemes[0].phoneme_score == 12
    predicted = score.english_proficiency_scores
    assert predicted is not None
    assert predicted.mock_ielts is not None
    assert predicted.mock_cefr is not None
    assert (predicted.mock_ielts.prediction, predicted.mock_cefr.prediction, predicted.mock_pte) == (6.5, "B2", None)
    assert score.model_dump()["canary"] == "new"


def test_an_assessment_has_its_parts() -> None:
    """A given text has a reading, a free answer grammar and vocabulary."""
    scripted = ScriptedAssessment.model_validate(SCRIPTED)
    answer = {"overall": {}, "grammar": {"overall_score": 5}, "metadata": {"content_relevance": "not relevant"}}
    free = UnscriptedAssessment.model_validate(answer)

    assert scripted.overall.overall_score == 77
    assert scripted.fluency is not None
    assert scripted.fluency.metrics == {"pauses": 2}
    assert scripted.metadata is not None
    assert (scripted.metadata.content_relevance, scripted.metadata.predicted_text) == (66, "canary sings")
    assert (free.overall.overall_score, free.grammar and free.grammar.overall_score, free.vocabulary) == (None, 5, None)
    assert free.metadata is not None
    assert free.metadata.content_relevance == "not relevant"


@pytest.mark.parametrize(("model", "main"), [(PronunciationScore, "overall_score"), (ScriptedAssessment, "overall")])
def test_an_answer_without_a_score_is_none(model: Any, main: str) -> None:
    """Nearly everything else may be missing."""
    with pytest.raises(ValidationError, match=main):
        model.model_validate({})


@pytest.mark.parametrize(
    ("changes", "is_poor"),
    [
        ({}, False),
        ({"warnings": {"noise": "loud"}}, True),
        ({"warnings": ["loud"]}, True),
        ({"warnings": "loud"}, True),
        ({"words": []}, True),
        ({"words": None, "lowest_scoring_phonemes": None}, True),
        ({"words": [{"word_text": "canary", "phonemes": None}]}, False),
    ],
)
def test_a_success_may_be_poor(changes: Any, is_poor: bool) -> None:
    """The server answers 200 to a recording in which it has heard nothing: warnings, or no words."""
    score = PronunciationScore.model_validate({**PRONUNCIATION, **changes})
    whole = ScriptedAssessment.model_validate({**SCRIPTED, "pronunciation": {**PRONUNCIATION, **changes}})

    assert (score.is_poor, whole.is_poor) == (is_poor, is_poor)


def test_an_assessment_with_warnings_or_without_pronunciation_is_poor() -> None:
    """Its own warnings count like those of its parts."""
    assert ScriptedAssessment.model_validate({**SCRIPTED, "warnings": {"noise": "loud"}}).is_poor
    assert UnscriptedAssessment.model_validate({"overall": {}}).is_poor


def test_nothing_of_what_was_said_is_shown() -> None:
    """repr, str and format are for logs: they have numbers alone."""
    whole = ScriptedAssessment.model_validate(SCRIPTED)
    context, who = AnswerContext(question="canary?"), UserMetadata(speaker_age="canary")
    shown: list[Any] = [whole, whole.pronunciation, whole.metadata, *PronunciationScore(**PRONUNCIATION).words]

    for each in [*shown, context, who]:
        assert "anary" not in f"{each!r} {each} {[each]}"
    assert repr(whole) == "ScriptedAssessment(overall_score=77.0)"
    assert repr(whole.pronunciation) == "PronunciationScore(overall_score=81.5)"
    for model, wrong in (
        (PronunciationScore, {"expected_text": ["canary"]}),
        (AnswerContext, {"question": ["canary"]}),
    ):
        with pytest.raises(ValidationError) as caught:
            model.model_validate(wrong)
        assert "canary" not in str(caught.value)


def test_a_notebook_shows_words_in_colour() -> None:
    """Red to green, the number beside it, and nothing of a word is taken for HTML."""
    html = PronunciationScore.model_validate(PRONUNCIATION)._repr_html_()

    assert "<b>82</b>" in html
    assert "hsl(110 70% 80%)" in html
    assert ">canary <small>92</small>" in html
    assert "&lt;b&gt;sings&lt;/b&gt; <small>40</small>" in html
    assert "#ddd" in html
    assert ">now <small>–</small>" in html
    assert "<b>77</b>" in ScriptedAssessment.model_validate(SCRIPTED)._repr_html_()
    assert UnscriptedAssessment.model_validate({"overall": {}})._repr_html_() == "<div><b>–</b> </div>"


@pytest.mark.parametrize("score", [-5, 0, 100, 400])
def test_a_score_out_of_range_has_a_colour_too(score: float) -> None:
    """Nobody promises 0 to 100."""
    html = PronunciationScore(**{**PRONUNCIATION, "words": [{"word_score": score}]})._repr_html_()

    assert any(f"hsl({hue} " in html for hue in (0, 120))


@pytest.mark.parametrize(
    "user_id", ["7", "3f1c", "moodle.example.com-12", "3f1c2a90-0000-4000-8000-000000000000", "x" * 320]
)
def test_an_anonymous_id_is_taken(user_id: str) -> None:
    """A number, a UUID, a host and a number."""
    assert problem_of_user_id(user_id) is None


@pytest.mark.parametrize(
    ("user_id", "reason"),
    [
        ("canary@example.com", "looks like an e-mail address"),
        ("canary%40example.com", "looks like an e-mail address"),
        ("", "1 to 320 visible ASCII characters"),
        ("  ", "1 to 320 visible ASCII characters"),
        ("canary canary", "1 to 320 visible ASCII characters"),
        ("canary\r\nx: y", "1 to 320 visible ASCII characters"),
        ("canary\x7f", "1 to 320 visible ASCII characters"),
        ("canáry", "1 to 320 visible ASCII characters"),
        ("canary" * 60, "1 to 320 visible ASCII characters"),
        (7, "expected a text"),
    ],
)
def test_an_id_that_is_a_person_or_cannot_be_sent_is_refused_without_showing_it(user_id: Any, reason: str) -> None:
    """The id stands for a person; an error may end in a log."""
    for holder in (user_id, ContextVar("holder", default=user_id)):
        with pytest.raises(ConfigError, match=f"^user_id: .*{reason}") as caught:
            user_headers(holder)
        assert "canary" not in str(caught.value)


def test_nobody_is_named_unless_somebody_is() -> None:
    """A context variable that is not set is nobody."""
    unset: ContextVar[str] = ContextVar("unset")

    assert user_headers(None) == user_headers(unset) == {}
    unset.set("7")
    assert user_headers(unset) == {"x-user-id": "7"}


def test_what_is_sent_beside_a_recording_has_known_fields_alone() -> None:
    """The server refuses others."""
    assert json.loads(AnswerContext(question="Why?").model_dump_json(exclude_none=True)) == {"question": "Why?"}
    for model in (AnswerContext, UserMetadata):
        with pytest.raises(ValidationError, match="Extra inputs"):
            model.model_validate({"name": "x"})
