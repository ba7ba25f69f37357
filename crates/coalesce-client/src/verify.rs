//! The verifier of rustls, run again for another host of an open connection.
//!
//! No other file names the verifier's API, which changes with the next version of rustls.
