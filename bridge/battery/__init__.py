"""The domain: membership, merging, limit rules, guard. Pure; standard library only."""
