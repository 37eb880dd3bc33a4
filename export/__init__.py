"""Trained networks become ONNX models in `models/`.

In order of time:


recipes        what to train, with every hyper-parameter; where trained weights come from
data           Fashion-MNIST from a folder or the network; its three splits; augmentation
labels         the names of the classes
architectures  the networks, one paper a file
training       a recipe becomes a trained network
untrained      a network with random weights, of which none is trivial
conversion     a network becomes an ONNX model
layers         which tensor of the model is the output of which module
verification   the model against PyTorch: names, axes, shapes and values of every layer
measurement    accuracy, through the graph that is served
publishing     a folder in `models/`, whole or not at all
card           its README.md and training curve
stages         all of these in a row
command_line   `striate export …`
"""
