"""Tests of the pages, the service file and the examples: what they tell an operator to paste."""
