"""Exports LTKMs for other programs: spreadsheets, Wireshark, scripts, other decoders."""
