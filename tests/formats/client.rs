//! Client names: peer ids on the left, what people read on the right.

use swarmlet::base::PeerId;
use swarmlet::format::client::name;

#[test]
#[rustfmt::skip]
fn peer_ids_tell_the_program() {
    for (id, wanted) in [
        (b"-TR3000-............", "Transmission 3.0"),
        (b"-qB4520-............", "qBittorrent 4.5.2"),
        (b"-LT20B0-............", "libtorrent 2.0.B"),
        (b"-lt0D80-............", "libTorrent 0.D.8"),
        (b"-SL0100-............", "swarmlet 0.1"),
        (b"-ZZ1234-............", "ZZ 1.2.3.4"),
        (b"A2-1-36-0-..........", "aria2 1.36.0"),
        (b"M7-10-5--...........", "mainline 7.10.5"),
        (b"....................", ""),
        (b"-TR3000.............", ""),
        (b"-TR30\x1b0-............", ""),
        (b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", ""),
    ] {
        assert_eq!(name(PeerId(*id)), wanted, "{:?}", PeerId(*id));
    }
}

#[test]
fn whatever_a_peer_id_holds_the_name_is_clean() {
    for byte in 0..=255u8 {
        for place in 0..8 {
            let mut id = *b"-TR3000-............";
            id[place] = byte;
            let name = name(PeerId(id));
            assert!(!name.chars().any(char::is_control), "{name:?}");
        }
    }
}
