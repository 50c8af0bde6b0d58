"""Sidedoor: find, classify, migrate and close Exchange Online Direct Send."""

__version__ = "0.1.0"
