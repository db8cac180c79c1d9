"""Language Confidence's face of the sandbox: it takes audio, checks it, and makes scores up.

The limits of audio are documented (https://docs.languageconfidence.ai/docs/guides/speech-assessment-api/audio-requirements).
Paths, header names and the shapes of answers are as other people's clients use them; no reference of the vendor's was
found. Statuses of errors and all inner fields that no client reads are guesses.
"""
