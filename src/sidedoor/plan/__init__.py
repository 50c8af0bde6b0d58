"""From an audit's answer to ordered changes that were replayed over the same history before they are advised."""
