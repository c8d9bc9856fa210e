"""A zoo of text-guided medical image segmenters that are compared on equal terms.

Importing `zoo` loads neither torch nor Lightning; the listing commands stay fast for that reason.
"""

__version__ = "0.1.0"
