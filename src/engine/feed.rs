//! Feed: the way of received bytes through a link into the engine.
//!
//! Both worlds call it with what one `recv` (real or simulated) brought. All frames of the buffer
//! are handled before any output is carried out, so neighbouring payloads can be written together.

use super::{Engine, Input, Output};
use crate::base::{ConnId, Time};
use crate::wire::{Frame, Speech, Violation};

/// Hands every frame in `received` to the engine.
///
/// Violation: the first one that the link finds; the driver closes the connection, carries out
/// `out` first, and tells the engine `Closed`.
pub fn feed(
    engine: &mut Engine,
    link: &mut impl Speech,
    now: Time,
    conn: ConnId,
    received: &[u8],
    out: &mut Vec<Output>,
) -> Result<(), Violation> {
    let mut input = received;
    while let Some(frame) = link.feed(&mut input)? {
        let consumed = received.len() - input.len();
        let (at, is_handshake) = match &frame {
            // Padding that a web seed leaves out did not come with these bytes, nor is it written.
            Frame::Payload { bytes, .. } => (consumed.saturating_sub(bytes.len()), false),
            Frame::Handshake(_) => (0, true),
            Frame::Message(_) => (0, false),
        };
        engine.handle(now, Input::Frame { conn, frame, at }, out);
        if is_handshake && let Some(torrent) = engine.torrent_of(conn) {
            // Known only now, and the bitfield may be the very next message. Of a magnet link it
            // is not known even now; then the session measures the bitfield.
            if let Some(layout) = engine.layout(torrent) {
                link.expect_pieces(layout.piece_count());
            }
        }
    }
    Ok(())
}
