"""Plain data and its checks; imports nothing of likelens but itself."""
