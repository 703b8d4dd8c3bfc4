"""The routers of the bench, one file each, on one protocol: `route`, `learn`, `state` (see `router`)."""
