"""Watching a tenant: what a run saw, compared with what was accepted before; alerts, each once."""
