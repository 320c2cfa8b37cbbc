"""Float training, quantization, and the quality of a quantized network. Importing this loads no torch."""
