"""Leavo's face of the sandbox: its routes, its leads, its two dialects."""
