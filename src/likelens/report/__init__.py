"""What a comparison or a search found, as pages that need nothing but a browser."""
