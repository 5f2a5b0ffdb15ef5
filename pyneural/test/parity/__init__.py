"""Parity with PyTorch: the same weights and the same batch give the same outputs and the same gradients."""
