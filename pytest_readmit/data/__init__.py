"""Rows and distributions; the only room that knows where data lives."""
