"""What may be sent beside a recording, and the scores that come back.

The shape of the scores is that which other clients read; the vendor's own reference was not to be had. So nearly all of
it may be missing, and what is not named here is kept.
"""

from __future__ import annotations

from typing import Any

from leavo_async.apis.language_confidence.show import coloured
from leavo_async.apis.shapes import Answer, Given, Listed


class UserMetadata(Given):
    """Who speaks, so that the scores fit.

    Values seen in other clients: speaker_gender male, female; speaker_age child, adolescent, adult;
    speaker_english_level beginner, intermediate, advanced, native.
    """

    speaker_gender: str | None = None
    speaker_age: str | None = None
    speaker_english_level: str | None = None


class AnswerContext(Given):
    """What a free answer should be about; with it the answer's relevance is scored.

    https://docs.languageconfidence.ai/docs/guides/speech-assessment-api/content-relevance
    """

    question: str | None = None
    context_description: str | None = None
    valid_answer_description: str | None = None


class _Report(Answer):
    """repr shows numbers alone and none of what was said."""

    def __repr_args__(self) -> Any:
        named = [(name, getattr(self, name)) for name in type(self).model_fields]
        return [(name, value) for name, value in named if isinstance(value, (int, float))]


class Prediction(_Report):
    """What the speaker would get in a test: a number of IELTS, a level of CEFR."""

    prediction: float | str | None = None


class EnglishProficiency(_Report):
    """Guesses at the results of well-known tests."""

    mock_ielts: Prediction | None = None
    mock_cefr: Prediction | None = None
    mock_pte: Prediction | None = None


class Phoneme(_Report):
    """One sound. phoneme_score: 0 to 100."""

    ipa_label: str | None = None
    phoneme_score: float | None = None


class Word(_Report):
    """One word. word_score: 0 to 100."""

    word_text: str | None = None
    word_score: float | None = None
    phonemes: Listed[Phoneme] = []


class PronunciationScore(_Report):
    """How well a text was pronounced. overall_score: 0 to 100.

    warnings: what the server thinks is wrong with the recording. In a notebook the words are shown in colour.
    """

    overall_score: float
    words: Listed[Word] = []
    lowest_scoring_phonemes: Listed[Phoneme] = []
    expected_text: str | None = None
    english_proficiency_scores: EnglishProficiency | None = None
    warnings: Any = None

    @property
    def is_poor(self) -> bool:
        """Whether the server has warnings or has heard no words: then the score says little about the speaker."""
        return bool(self.warnings) or not self.words

    def _repr_html_(self) -> str:
        return coloured(self.overall_score, [(word.word_text, word.word_score) for word in self.words])


class PartScore(_Report):
    """One part of an assessment. overall_score: 0 to 100, None if it could not be scored."""

    overall_score: float | None = None
    english_proficiency_scores: EnglishProficiency | None = None
    metrics: dict[str, Any] | None = None
    feedback: Any = None
    warnings: Any = None


class AssessmentMetadata(_Report):
    """What was heard, and whether it was to the point.

    content_relevance: 0 to 100 for a given text, a word for a free answer; the documents name different words.
    """

    predicted_text: str | None = None
    content_relevance: float | str | None = None
    content_relevance_feedback: Any = None


class _Assessment(_Report):
    overall: PartScore
    pronunciation: PronunciationScore | None = None
    fluency: PartScore | None = None
    metadata: AssessmentMetadata | None = None
    warnings: Any = None

    @property
    def is_poor(self) -> bool:
        """Whether the server has warnings or has heard no words: then the scores say little about the speaker."""
        return bool(self.warnings) or self.pronunciation is None or self.pronunciation.is_poor

    def __repr_args__(self) -> Any:
        return [("overall_score", self.overall.overall_score)]

    def _repr_html_(self) -> str:
        words = self.pronunciation.words if self.pronunciation else []
        return coloured(self.overall.overall_score, [(word.word_text, word.word_score) for word in words])


class ScriptedAssessment(_Assessment):
    """How well a given text was read: overall.overall_score, and the parts it is made of."""

    reading: dict[str, Any] | None = None


class UnscriptedAssessment(_Assessment):
    """How well somebody spoke freely: overall.overall_score, and the parts it is made of."""

    grammar: PartScore | None = None
    vocabulary: PartScore | None = None
