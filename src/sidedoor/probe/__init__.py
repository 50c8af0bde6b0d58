"""Asking the door from outside what it does: SMTP conversations that end before DATA, one at a time."""
