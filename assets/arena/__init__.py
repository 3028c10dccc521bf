"""The arena: every attack against every detector on the same pairs, and what reward models come to that learn them.

`rows` says what is compared, `cells` runs and keeps it, `measure` is one cell, `victims` are its reward models, `laws` sums
cells up, `page` tells people.
"""
