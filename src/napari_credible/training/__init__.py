"""Make the weights: data, noise, the loop, export."""
