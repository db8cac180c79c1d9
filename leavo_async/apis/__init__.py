"""Says how one API differs from another; a folder for each."""
