"""Methods: every objective on the same corpora, clean, poisoned and filtered, told by one table.

`rows` says which there are, `grounds` makes what the methods of a corpus share, `learning` runs one, `measure` asks what came
of it, `compare` sums runs up, `study` does all without Dagster, `page` tells people.
"""
