"""``podtab signature``: making signatures of TLS libraries, and trying them."""
