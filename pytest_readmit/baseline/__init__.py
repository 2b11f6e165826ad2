"""Saving a dataset's distributions without its rows."""
