"""Published tables and models: immutable, named by the digest of what they hold and of what they were made of."""

from pipelines.snapshots.manifests import (
    MANIFEST,
    digest_of,
    digest_of_facts,
    digests_of,
    is_published,
    manifest,
    of_poison,
    published_around,
    verify,
)
from pipelines.snapshots.published import staged, unchanged
from pipelines.snapshots.store import Store

__all__ = [
    "MANIFEST", "Store", "digest_of", "digest_of_facts", "digests_of", "is_published", "manifest",
    "of_poison", "published_around", "staged", "unchanged",
    "verify",
]  # fmt: skip
