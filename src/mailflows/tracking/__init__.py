"""Tracking: signed links and pixels, people told from bots, and campaign statistics with intervals."""

from __future__ import annotations

from mailflows._token import Purpose
from mailflows.tracking._addresses import Tracked
from mailflows.tracking._clients import HitKind
from mailflows.tracking._comparison import compare, recipients_needed
from mailflows.tracking._consent import Consents, ConsentUse
from mailflows.tracking._endpoints import Endpoints, Request, Response
from mailflows.tracking._hits import Hit, HitVerdict, judge_hit, judge_hits
from mailflows.tracking._links import SKIPPED
from mailflows.tracking._stats import CampaignStats
from mailflows.tracking._tables import METRICS
from mailflows.tracking._tracker import Tracker

__all__ = [
    "METRICS",
    "SKIPPED",
    "CampaignStats",
    "ConsentUse",
    "Consents",
    "Endpoints",
    "Hit",
    "HitKind",
    "HitVerdict",
    "Purpose",
    "Request",
    "Response",
    "Tracked",
    "Tracker",
    "compare",
    "judge_hit",
    "judge_hits",
    "recipients_needed",
]
