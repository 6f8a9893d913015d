"""Sections of the page, found by a scan of this folder: a new file here is a new section, and nothing else is edited.

A section has ORDER (its place on the page), TITLE, NAV, QUESTION and `add(page)`, which returns HTML, "" if it has nothing to say. What
several sections share, or what would make one too long, is in tasks/report/parts.
"""
