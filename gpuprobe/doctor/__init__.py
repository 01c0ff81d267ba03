"""Why a GPU is not used, and how it stands: pure checks from evidence to findings, and what is said of them."""
