"""The builder: from a network and a configuration to the products that the configuration asks for, step by step."""
