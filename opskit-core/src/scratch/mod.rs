//! A throw-away Postgres, started from local server binaries.
