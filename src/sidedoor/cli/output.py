"""What every command does to text before it prints it."""

from __future__ import annotations


def printable(text: str) -> str:
    """Text for a terminal: control characters from files (escape sequences, line breaks) are shown, not sent."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
