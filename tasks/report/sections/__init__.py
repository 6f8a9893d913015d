"""Sections of the report: one module, one section, with TITLE, NAV, QUESTION and `render(page) -> html` ("" if it has nothing to say)."""
