"""An invented tenant to try Sidedoor on: settings, DNS zones, mail history in several formats, and the truth.

`population` says who sends, `traffic` turns that into messages, `exports` writes them as Exchange Online would,
`settings` writes the tenant and its zones, `make` puts it all into a folder. Deterministic by seed; docs/demo.md.
"""
