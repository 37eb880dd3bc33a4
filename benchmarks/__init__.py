"""Measurements that take minutes, to be run by hand."""
