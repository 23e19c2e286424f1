//! Service: an HTTP request in, the bytes of the answer out.

/// The tracker: all swarms, and the rules of this house.
#[derive(Debug)]
pub struct Service {}
