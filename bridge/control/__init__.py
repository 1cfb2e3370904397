"""The control socket: what may be asked of a running gateway, and how.

One connection is one request and one reply, each one line of JSON. `requests` says what may be asked,
`answers` what the engine says to it, `server` and `client` are the two ends, `paths` where they meet.
"""
