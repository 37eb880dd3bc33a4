"""Trained networks become ONNX models in `models/`.

In order of time:


recipes        what to train, with every hyper-parameter; where trained weights come from
data           Fashion-MNIST from a folder or the network; its three splits; augmentation
labels         the names of the classes
architectures  the networks, one paper a file
blocks         the layers that PyTorch does not have
training       a recipe becomes a trained network
libraries      the networks of torchvision and timm, by name
weights        those of a file, read without running what is in it
untrained      a network with random weights, of which none is trivial
conversion     a network becomes an ONNX model
layers         which tensor of the model is the output of which module
verification   the model against PyTorch: names, axes, shapes and values of every layer
measurement    accuracy, which class is taken for which, and speed, through the graph that is served
publishing     a folder in `models/`, whole or not at all
card           its README.md
curve, card_pictures  the pictures of the card
stages         all of these in a row
quantization, half_precision  the same network in 8-bit integers, in 16-bit floats
copies         such a copy judged beside its original, and published
agreement      the layers of a copy against those of its original
renewal        the card of a published version, brought up to date
proofs         each published version and each architecture, proven in a row
command_line   `striate export …`
"""
