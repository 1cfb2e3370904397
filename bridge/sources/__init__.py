"""A pack is a protocol script driven over a link: deadlines, retries, bus sharing, statistics."""
