"""The layers of which convolutional networks are made, where PyTorch has none of its own.

convolution    with the kernel flipped, as mathematics has it; how much padding; the size of what comes out
sparse_matrix  convolution as a product with a matrix that is mostly zeros
separable      a kernel as column times row; each channel alone, and then the channels
unshared       weights of their own for every place, or for places in turn
three_stages   affine, detector, pooling
pooling        sums, and averages weighted by the distance from the centre
unpooling      bed of nails; back to where the largest values were
phases         every other row and column of a map
maxout         the largest of several channels
connections    shortcut, Inception, dense connection

PyTorch's own: convolution without a flip (`nn.Conv2d`: valid, same, strided, dilated, pointwise, grouped), transposed
convolution, pooling by maximum, average and L2 norm (`nn.LPPool2d`), nearest unpooling (`nn.Upsample`), dense layer,
reshape, dropout and the activations.
"""
