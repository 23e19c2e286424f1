//! A load of announces over UDP, as fast as one tracker answers them.
//!
//! ```text
//!  udp_load ADDR announce|connect|scrape SECONDS TORRENTS [PEERS]
//!  udp_load ADDR fill TORRENTS PEERS   each peer of each torrent once
//!  udp_load hashes TORRENTS            their info-hashes, for trackers that want to know them
//! ```
//! Keeps a window of questions under way, as many clients together would; each announce is one of
//! 100 (PEERS) peers of one of the torrents. Beyond 60,000 peers, the others have further addresses
//! (127.0.0.2 and so on). Prints answers a second and bytes an answer. Built by itself
//! with `rustc -O`, so that it measures nothing of what it loads. Only loopback addresses.

mod terms;

use std::env;
use std::net::{SocketAddr, UdpSocket};
use std::process::exit;
use std::time::{Duration, Instant};

use terms::{hash, local, next, number};

/// Questions under way.
const WINDOW: usize = 128;
const PEERS: u64 = 100;
/// Peers at one address.
const PORTS: usize = 60_000;
/// What each announce asks for: as many as clients ask for, so that answers are of one size.
const PEERS_WANTED: u32 = 50;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["hashes", torrents] => {
            for torrent in 0..number(torrents) {
                let hash: String = hash(torrent).iter().map(|byte| format!("{byte:02x}")).collect();
                println!("{hash}");
            }
        }
        [addr, "fill", torrents, peers] => {
            let (torrents, peers) = (number(torrents), number(peers));
            // One torrent after the other, so that their tables do not all grow at the same moment.
            let mut sum = Sum::default();
            for first in (0..peers).step_by(PORTS) {
                let ports = (peers - first).min(PORTS as u64);
                let questions = (0..torrents * ports).map(|each| (each / ports, each % ports));
                let from = 1 + first / PORTS as u64;
                load([127, 0, 0, from as u8], local(addr), "fill", questions, None, &mut sum);
            }
            sum.print("fill");
        }
        [addr, what, seconds, torrents, ref rest @ ..] => {
            let peers = rest.first().map_or(PEERS, |peers| number(peers));
            let torrents = number(torrents);
            let mut state = 1;
            let questions = std::iter::from_fn(|| {
                let random = next(&mut state);
                Some((random % torrents, (random >> 32) % peers))
            });
            let time = Some(Duration::from_secs(number(seconds)));
            let mut sum = Sum::default();
            load([127, 0, 0, 1], local(addr), what, questions, time, &mut sum);
            sum.print(what);
        }
        _ => {
            eprintln!("usage: udp_load ADDR announce|connect|scrape SECONDS TORRENTS");
            exit(2);
        }
    }
}

/// What has been answered.
#[derive(Default)]
struct Sum {
    answers: u64,
    bytes: u64,
    lost: u64,
    time: Duration,
}

impl Sum {
    fn print(&self, what: &str) {
        let Sum { answers, bytes, lost, time } = self;
        let (each, rate) = (bytes / answers.max(&1), *answers as f64 / time.as_secs_f64());
        println!("{what}: {rate:.0} a second, {each} bytes each, {lost} lost, {answers} in all");
    }
}

/// Asks for each pair of a torrent and a peer, until there are no more or the time is over.
fn load(
    from: [u8; 4],
    addr: SocketAddr,
    what: &str,
    mut questions: impl Iterator<Item = (u64, u64)>,
    time: Option<Duration>,
    sum: &mut Sum,
) {
    let socket = UdpSocket::bind(SocketAddr::from((from, 0))).expect("a free port");
    socket.connect(addr).expect("loopback");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a span");
    let connection = if what == "echo" { [0; 8] } else { connect(&socket) };
    let mut under_way = 0;
    let mut buffer = [0; 4096];
    let mut question = Vec::new();
    let begun = Instant::now();
    while time.is_none_or(|time| begun.elapsed() < time) {
        while under_way < WINDOW
            && let Some((torrent, peer)) = questions.next()
        {
            write(what, connection, torrent, peer, &mut question);
            socket.send(&question).expect("a tracker that is there");
            under_way += 1;
        }
        if under_way == 0 {
            break;
        }
        match socket.recv(&mut buffer) {
            Ok(len) => {
                let is_error = buffer[..4] == [0, 0, 0, 3];
                assert!(!is_error, "{}", String::from_utf8_lossy(&buffer[8..len]));
                sum.answers += 1;
                sum.bytes += len as u64;
                under_way -= 1;
            }
            Err(_) => {
                sum.lost += under_way as u64;
                under_way = 0;
            }
        }
    }
    sum.time += begun.elapsed();
}

fn connect(socket: &UdpSocket) -> [u8; 8] {
    let mut buffer = [0; 64];
    for _ in 0..25 {
        socket.send(&CONNECT).expect("a tracker that is there");
        if let Ok(16) = socket.recv(&mut buffer) {
            return buffer[8..16].try_into().expect("eight bytes");
        }
    }
    panic!("no answer");
}

fn write(what: &str, connection: [u8; 8], torrent: u64, peer: u64, out: &mut Vec<u8>) {
    out.clear();
    match what {
        "connect" => out.extend(CONNECT),
        "scrape" => {
            out.extend(connection);
            out.extend([0, 0, 0, 2, 0, 0, 0, 1]);
            (0..10).for_each(|more| out.extend(hash(torrent.saturating_sub(more))));
        }
        _ => {
            out.extend(connection);
            out.extend([0, 0, 0, 1, 0, 0, 0, 1]);
            out.extend(hash(torrent));
            out.extend(b"-XX0001-abcdefghijkl");
            out.extend([0; 8]);
            out.extend((peer % 3).to_be_bytes());
            out.extend([0; 8]);
            out.extend([0; 12]);
            out.extend(PEERS_WANTED.to_be_bytes());
            out.extend((1000 + peer as u16).to_be_bytes());
        }
    }
}

const CONNECT: [u8; 16] = [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0, 0, 0, 1];
