"""What comes in and goes out, a module a system."""
