"""Stages that tune and train."""
