"""Teacher hacking: does a student that comes closer to its teacher move away from the oracle, and on whose answers?

`rows` says what a study has, `world` makes or opens oracle, teacher and student, `study` runs every arm, `verdicts` says what
came of each, `page` tells people.
"""
