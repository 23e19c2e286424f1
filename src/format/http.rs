//! HTTP heads ⇄ values: `Done(n)`, `More` or `Bad`.

/// One request, borrowed from the bytes it came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request<'b> {
    pub method: &'b str,
    /// Path and query as sent, percent-coded.
    pub target: &'b str,
    pub keep_alive: bool,
    pub body: &'b [u8],
}
