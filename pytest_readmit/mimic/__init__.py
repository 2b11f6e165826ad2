"""Synthetic hospital tables in the shape of MIMIC-IV; no row comes from a real patient."""
