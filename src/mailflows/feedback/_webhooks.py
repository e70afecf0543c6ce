def from_webhook(provider, payload): return ()
