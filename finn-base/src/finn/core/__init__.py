"""The ONNX-based intermediate representation: models, data types, layouts, execution."""
