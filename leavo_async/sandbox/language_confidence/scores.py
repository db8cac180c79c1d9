"""Made-up scores: the same for the same seed, audio, text and path, and without any meaning."""

import hashlib
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Self

from leavo_async.sandbox.messages import Json

_SPOKEN = ("well", "I", "think", "people", "should", "learn", "to", "speak", "and", "listen", "every", "day")
_CEFR = ("A1", "A2", "B1", "B2", "C1", "C2")
_SILENCE = "No speech was found in the audio."


@dataclass(frozen=True, slots=True)
class Scores:
    """All that is said of one recording. words: none if it is silent."""

    random: Random
    text: str
    words: list[Json]

    @classmethod
    def of(cls, audio: bytes, text: str | None, *, silent: bool, salt: str) -> Self:
        """Scores of the words of a text; of made-up words without one."""
        random = Random(hashlib.sha256(f"{salt} {text}".encode() + audio).digest())
        spoken = text or " ".join(random.sample(_SPOKEN, 8))
        return cls(random, spoken, [] if silent else [_word(random, word) for word in spoken.split()])

    def pronunciation(self) -> Json:
        """The answer to a pronunciation request."""
        return {
            "overall_score": self.overall,
            "words": self.words,
            "lowest_scoring_phonemes": self._lowest(),
            "expected_text": self.text,
            "english_proficiency_scores": _proficiency(self.overall),
            "warnings": self._warnings(),
        }

    def speech(self, *parts: str) -> Json:
        """The answer to a speech assessment, but for its metadata. parts: such as "reading", each with a score."""
        of_words = {"words": self.words, "lowest_scoring_phonemes": self._lowest()}
        return {
            "overall": {
                "overall_score": self.overall,
                "english_proficiency_scores": _proficiency(self.overall),
            },
            "pronunciation": {"overall_score": self.overall, **of_words},
            "fluency": {
                "overall_score": self.score(),
                "metrics": {"speech_rate": self.random.randint(80, 180), "pauses": self.random.randint(0, 9)},
                "feedback": {},
            },
            **{part: {"overall_score": self.score()} for part in parts},
            "warnings": self._warnings(),
        }

    @property
    def predicted(self) -> str:
        """What was heard."""
        return self.text if self.words else ""

    @property
    def overall(self) -> float:
        """The mean of the words; 0.0 without any."""
        return round(fmean(word["word_score"] for word in self.words), 1) if self.words else 0.0

    def score(self) -> float:
        """One more score from 0 to 100; 0 for silence."""
        return _score(self.random) if self.words else 0.0

    def _lowest(self) -> list[Json]:
        phonemes = (phoneme for word in self.words for phoneme in word["phonemes"])
        return sorted(phonemes, key=lambda phoneme: phoneme["phoneme_score"])[:3]

    def _warnings(self) -> list[str]:
        return [] if self.words else [_SILENCE]


def _word(random: Random, word: str) -> Json:
    # Its letters stand for its sounds: nobody tests phonetics here.
    letters = [letter for letter in word.lower() if letter.isalpha()]
    scores = [_score(random) for _ in letters] or [_score(random)]
    phonemes = [{"ipa_label": letter, "phoneme_score": score} for letter, score in zip(letters, scores, strict=False)]
    return {"word_text": word, "word_score": round(fmean(scores), 1), "phonemes": phonemes}


def _score(random: Random) -> float:
    return random.randint(400, 1000) / 10


def _proficiency(score: float) -> Json:
    level = min(5, int(score * 6 / 100))
    predictions = {
        "mock_ielts": round(score * 0.18) / 2,
        "mock_cefr": _CEFR[level],
        "mock_pte": round(10 + score * 0.8),
    }
    return {name: {"prediction": prediction} for name, prediction in predictions.items()}
