"""Denoise an array by CAREamics' Noise2Void, trained on it alone; for adaptation_pairs.py.

Runs in an environment of its own (``pip install careamics``): NOISY.npy in, DENOISED.npy out.
"""
