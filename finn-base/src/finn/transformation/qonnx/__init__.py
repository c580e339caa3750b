"""Ingestion of QONNX models."""
