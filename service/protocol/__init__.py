"""The Open Inference Protocol, as far as it is no matter of HTTP.

datatypes.py       the names of the types of numbers
tensors.py         tensors in JSON and in binary, to arrays and back
requests.py        an inference request, parsed
inference.py       what a request asks of a model, computed
classification.py  the classification extension
answers.py         the answer to an inference request, written
description.py     what the protocol says of a model: metadata and configuration
compression.py     gzip and deflate, with a limit on what comes out
"""
