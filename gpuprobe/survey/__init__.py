"""Reading the machine before any GPU library is loaded; nothing here decides."""
