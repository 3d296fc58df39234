"""Asks servers for files: public addresses only, redirects checked, answers bounded."""
