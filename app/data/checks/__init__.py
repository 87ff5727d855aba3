"""What is looked for in the rows of a file, one function for each kind of finding."""
