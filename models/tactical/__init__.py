"""Learners of the tactical layer. Importing this package loads none of them."""
