//! Every sequence of `conformance/exchanges/` is a test: the embedded server must answer as the real one
//! did when it was recorded. Where the real one is at hand, it must still answer so.
fn main() {}
