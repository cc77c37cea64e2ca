//! Law 14: what is authentic and cannot be read is kept, sealed, until somebody hands it back or throws it away.
