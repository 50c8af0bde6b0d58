"""Records to decided flows: the whole reduction, asked of an engine."""

from __future__ import annotations

from dataclasses import replace

import ibis.expr.types as ir

from sidedoor.audit.classes import Classes
from sidedoor.audit.engine.merge import Listed
from sidedoor.audit.engine.portable.combine import Combined, combine
from sidedoor.audit.engine.portable.derived import derive_tables, identified
from sidedoor.audit.engine.portable.engine import Engine
from sidedoor.audit.engine.portable.keyed import divide
from sidedoor.audit.engine.portable.merge import United, unite
from sidedoor.policy.rule import Rule


def reduced(engine: Engine, records: ir.Table, listed: Listed, rule: Rule, classes: Classes) -> tuple[United, Combined]:
    """What several records say of one message joined; each decision key decided; flows."""
    division = divide(engine, classes, records)
    united = unite(engine, records, listed, division)
    events = engine.define("identified", identified(united.events, division, engine.identify))
    tables = derive_tables(engine, events, division)
    return united, combine(engine, rule, classes, replace(tables, keys=engine.keep("keys", tables.keys)))
