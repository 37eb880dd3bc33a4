"""Image files, walked before a decoder sees them: what would cost more than its pixels do is refused here.

Each format has a module with one function, `inspect`.  It follows the structure of a file, never its pixels, at a cost
that is bounded, and returns the bytes that the decoder gets.  What is merely broken it lets pass: the decoder tells.
"""
