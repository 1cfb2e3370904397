"""Sans-IO codecs, one file a protocol: what a BMS says and what is said to it. No I/O, no clock."""
