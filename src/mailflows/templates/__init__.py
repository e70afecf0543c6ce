"""Templates over time: the fixed text of each template, and what its fields may hold."""

from __future__ import annotations

from mailflows.templates._memory import Series, TemplateMemory
from mailflows.templates._payload import fields_of
from mailflows.templates._slots import check_fields

__all__ = [
    "Series",
    "TemplateMemory",
    "check_fields",
    "fields_of",
]
