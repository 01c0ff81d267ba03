"""The readers of machine code, on bytes that `writers` builds as compilers do."""
