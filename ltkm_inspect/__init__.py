"""Inspection and fault injection for the LTKMs that an MSK response carries."""

__version__ = "0.1.0"
