"""Operators that ONNX does not have, and how they are declared and found."""
