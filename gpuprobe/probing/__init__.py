"""What is worth asking, and the children that ask it."""
