"""The stage that explores the data."""
