"""What can be done to encrypted texts; no console and no argv."""
