"""What a model needs where, as llama.cpp places it: pure arithmetic over records."""
