"""MedCLIPSeg: its network and its parts."""
