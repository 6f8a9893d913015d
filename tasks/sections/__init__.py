"""Sections of the report: one module, one section, `render(paths) -> html`."""
