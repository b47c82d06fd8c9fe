"""The report on flights: its numbers, its pictures, its screenshots, and how they are typeset."""
