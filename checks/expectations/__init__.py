"""Suites: what must hold of each table; Great Expectations is imported only when one is run."""

from collections.abc import Mapping

from checks.expectations import domain, preferences
from checks.expectations.suite import Suite

SUITES: Mapping[str, Suite] = {
    "features": domain.features,
    "pairs": preferences.pairs,
    "scores": preferences.scores,
    "summaries": domain.summaries,
}
