"""Language Confidence's speech assessment API."""

from leavo_async.apis.language_confidence.audio import AudioFormat, AudioWarning
from leavo_async.apis.language_confidence.client import LanguageConfidenceClient
from leavo_async.apis.language_confidence.models import (
    AnswerContext,
    PronunciationScore,
    ScriptedAssessment,
    UnscriptedAssessment,
    UserMetadata,
)
from leavo_async.apis.language_confidence.profile import LANGUAGE_CONFIDENCE

__all__ = [
    "LANGUAGE_CONFIDENCE",
    "AnswerContext",
    "AudioFormat",
    "AudioWarning",
    "LanguageConfidenceClient",
    "PronunciationScore",
    "ScriptedAssessment",
    "UnscriptedAssessment",
    "UserMetadata",
]
