"""Parts that sections of the page are made of: they have no place of their own in its order."""
