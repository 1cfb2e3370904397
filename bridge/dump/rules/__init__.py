"""The rules of `packbridge dump lint`: one a file, `bridge.dump.rule` says what each has."""
