"""Where messages about alerts go. `interface` says what a channel is; `settings` makes channels from sidedoor.toml."""
