"""What is translated to ONNX, and how equal it is: the makers of docs/translation.md."""
