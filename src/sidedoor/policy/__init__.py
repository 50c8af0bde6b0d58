"""The rule: what Exchange Online does with a connection, an envelope and a message. Start at `steps.py`."""

from sidedoor.policy.rule import Rule, compile_rule, decide

__all__ = ["Rule", "compile_rule", "decide"]
