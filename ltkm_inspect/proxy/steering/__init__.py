"""A script for `mitmdump -s` that whoever started mitmdump steers it with.

It is alone in this folder: mitmproxy puts the folder of a script first on `sys.path`.
"""
