"""`readmit init`: a first suite, fitted to the data it is given, with a workflow and a hook that run it."""
