"""A trained network as files that run without the zoo: ONNX, PyTorch's exported programs, and safetensors."""
