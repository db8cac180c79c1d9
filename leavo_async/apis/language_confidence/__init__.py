"""Language Confidence's speech assessment API."""
