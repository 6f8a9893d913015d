"""Stages from raw traces to features."""
