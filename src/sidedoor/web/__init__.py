"""The web page and its JSON API: what a workspace holds, shown, and what people decide, kept."""
