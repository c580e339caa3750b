"""Questions about a graph that do not change it."""
