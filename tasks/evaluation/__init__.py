"""Stages that judge and compare."""
