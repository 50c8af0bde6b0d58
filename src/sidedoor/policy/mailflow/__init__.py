"""Transport rules of a tenant's export: what they do with one message to one recipient. Pure, as all of `policy`.

`compile_rules` once, `RuleSet.apply` for each recipient, `apply_changes` on the message's octets.
Facts: Microsoft's page of New-TransportRule; what follows from it, and what does not, is in docs/transport-rules.md.
"""
