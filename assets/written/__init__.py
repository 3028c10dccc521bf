"""Written evaluations as a study: questions are written, filtered and put to policies, of which some learned from poison."""
