"""Parts of the planner: what it learns of the past, what it expects, and how it looks ahead. Importing this package loads none of them."""
