"""Graph transformations and the engine that applies them."""
