"""The vendor-neutral cloud layer. Importing it loads no provider."""
