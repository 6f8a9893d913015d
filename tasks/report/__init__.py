"""The stage that builds the page."""
