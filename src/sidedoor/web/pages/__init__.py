"""Pages: from a request to a service, and from what it answers to a template. Nothing is decided here."""
