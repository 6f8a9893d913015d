"""Learners that choose placements. Importing this package loads none of them."""
