"""The Open Inference Protocol: one file for each group of its calls."""
