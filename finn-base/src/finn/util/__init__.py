"""Helpers around the intermediate representation."""
