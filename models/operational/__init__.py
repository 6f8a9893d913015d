"""The operational layer: how many instances stay warm in the next steps, and with how much memory."""
