//! How things read, in the log, on the command line, in alerts: the same words everywhere.
