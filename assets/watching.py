"""What should be fresh: that somebody looked at every source last night, whether or not there was anything new to audit.

An audit is made again where its pairs changed and nowhere else, so that an old one may well hold; an old look may not.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from assets.metadata import OWNERS

NIGHTLY = "0 2 * * *"
DEADLINE, PATIENCE = "0 3 * * *", timedelta(hours=1)  # from the schedule's tick until then

sources_watched = dg.AssetSpec(
    "sources_watched",
    group_name="audit",
    owners=OWNERS,
    kinds={"dagster"},
    description="When nightly_audit last compared every source with its audit, and which it had audited anew. Due by 3:00 UTC.",
    freshness_policy=dg.FreshnessPolicy.cron(deadline_cron=DEADLINE, lower_bound_delta=PATIENCE),
)


def looked(instance: dg.DagsterInstance, count: int, wanted: Sequence[str]) -> None:
    """Notes that so many sources were looked at now, and for which of them audits are `wanted`."""
    told: dict[str, Any] = {"sources": count, "audited anew": ", ".join(wanted) or "none: nothing changed"}
    instance.report_runless_asset_event(dg.AssetMaterialization(sources_watched.key, metadata=told))
