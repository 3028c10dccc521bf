"""An audit that works on disk: the corpus in shards, of which a few are in memory at a time; the same numbers to the bit.

Pairs of one prompt lie in one shard, so that whatever is counted once a prompt is counted within shards and added up.
"""
