"""The record as Prometheus metrics: a text file, a push, an exporter."""
