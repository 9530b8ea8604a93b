"""LTKMs handed on to other programs: a spreadsheet, Wireshark, a script, a decoder of one's own."""
