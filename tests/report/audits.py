"""Hypothesis strategies: audits of the rich example's shape with any text in any field."""

from __future__ import annotations

from hypothesis import strategies as st

from sidedoor.audit.model import Audit
from sidedoor.report.view import MX
from tests.report.example import HOSTILE, map_text, rich_audit

texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(codec=None), min_size=1, max_size=40),
    st.text(alphabet="<>&\"'=+-@;,\t\r\n/!{}%\u202e\x1b[]", min_size=1, max_size=12),
)


@st.composite
def audits(draw: st.DrawFn) -> Audit:
    """The rich audit with every distinct text replaced by another distinct one."""
    seen: dict[str, str] = {MX: MX}  # our own word, which the page asks for

    def change(text: str) -> str:
        if text not in seen:
            seen[text] = f"{draw(texts)}{len(seen)}" if text else ""
        return seen[text]

    changed = map_text(rich_audit(), change)
    assert isinstance(changed, Audit)
    return changed
