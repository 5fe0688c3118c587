"""What a plan would do, for an operator or a program to read; imported by ``plan`` alone."""
