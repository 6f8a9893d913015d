"""Stages that build and check the worlds."""
