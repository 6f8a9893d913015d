"""Takes docs/pictures/report-*.png from reports/index.html: `python -m tests.e2e.pictures` in the root of the working tree."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.e2e.browser import browser

# Name, width, theme, section it starts at, height (px): parts of the page, so that a picture stays well below a megabyte.
SHOTS = (
    (
        "light",
        1280,
        "light",
        "answer",
        3200,
        "The first screens in the light theme, 1280 px wide: the answer in tiles and a ladder, what to read first, the calls.",
    ),
    (
        "dark",
        1280,
        "dark",
        "landscape",
        2800,
        "The decision landscape in the dark theme: same page, colours from the second palette of the style sheet.",
    ),
    (
        "narrow",
        420,
        "light",
        "answer",
        4600,
        "The first screens at 420 px: every figure in its narrow layout, tiles and pairs in one column.",
    ),
)


def main() -> int:
    """Write the three pictures and their README.

    Returns:
        0, or 1 when there is no page to take a picture of.
    """
    page, folder = Path("reports/index.html"), Path("docs/pictures")
    if not page.is_file():
        print("reports/index.html is missing: run `make run` first", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Pictures of the report", ""]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, browser(Path(profile)) as tab:
        for name, width, theme, section, height, sentence in SHOTS:
            tab.width(width)
            tab.theme(theme)
            tab.open(page)
            tab.picture(folder / f"report-{name}.png", f"#{section}", height)
            lines.append(f"- [report-{name}.png](report-{name}.png): {sentence}")
    lines += ["", "Taken from `reports/index.html` by `python -m tests.e2e.pictures`."]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
