//! A load of announces over HTTP, as fast as one tracker answers them.
//!
//! ```text
//!  http_load ADDR keep|once SECONDS TORRENTS
//!  http_load ADDR fill TORRENTS            everybody announces, once
//!  http_load ADDR hold CONNECTIONS         opens so many, tells `holding`, and waits for its end
//! ```
//! `once`: some threads ask one after the other, over a new connection for each announce. `keep`: one
//! thread asks over two groups of connections; while one group is answered, it reads the answers of
//! the other, the last one first. So it hardly ever sleeps: the tracker would pay for waking it, at
//! each answer, and nobody has to wake clients that are elsewhere.
//!
//! Of each torrent there are 100 peers, and each announce is by one of them. Prints how many answers
//! there were. Built by itself with `rustc -O`. Only loopback addresses.

mod terms;

use std::env;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

use terms::{hash, local, next, number};

const THREADS: u64 = 32;
/// Kept connections of one group.
const GROUP: usize = 32;
const PEERS: u64 = 100;

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [addr, "hold", connections] => hold(local(addr), number(connections)),
        [addr, "fill", torrents] => {
            let answers = fill(local(addr), number(torrents));
            println!("fill: {answers} in all");
        }
        [addr, how @ ("keep" | "once"), seconds, torrents] => {
            let (addr, torrents) = (local(addr), number(torrents));
            let until = Instant::now() + Duration::from_secs(number(seconds));
            let answers = match how {
                "keep" => ask_groups(addr, until, torrents),
                _ => {
                    let ask = move |seed| ask_once(addr, until, torrents, seed);
                    let threads: Vec<_> =
                        (1..=THREADS).map(|seed| thread::spawn(move || ask(seed))).collect();
                    threads.into_iter().map(|thread| thread.join().expect("answers")).sum()
                }
            };
            println!("{how}: {answers} in all");
        }
        _ => {
            eprintln!("usage: http_load ADDR keep|once|hold …: see the source");
            exit(2);
        }
    }
}

/// Opened and silent.
fn hold(addr: SocketAddr, connections: u64) {
    let held: Vec<TcpStream> =
        (0..connections).map(|_| TcpStream::connect(addr).expect("a connection")).collect();
    println!("holding {}", held.len());
    thread::sleep(Duration::from_secs(60));
}

/// Returns how many answers there were.
fn ask_once(addr: SocketAddr, until: Instant, torrents: u64, seed: u64) -> u64 {
    let mut state = seed;
    let mut answers = 0;
    while Instant::now() < until {
        let mut stream = TcpStream::connect(addr).expect("a tracker that is there");
        ask(&mut stream, torrents, &mut state, false);
        read_answer(&mut stream, false);
        answers += 1;
    }
    answers
}

/// The same over connections that are kept.
fn ask_groups(addr: SocketAddr, until: Instant, torrents: u64) -> u64 {
    let mut groups = [(); 2].map(|()| kept_connections(addr));
    let mut state = 1;
    let mut answers = 0;
    for stream in groups.iter_mut().flatten() {
        ask(stream, torrents, &mut state, true);
    }
    while Instant::now() < until {
        for group in &mut groups {
            for stream in group.iter_mut().rev() {
                read_answer(stream, true);
                answers += 1;
            }
            for stream in group {
                ask(stream, torrents, &mut state, true);
            }
        }
    }
    answers
}

/// Returns how many there are now.
fn fill(addr: SocketAddr, torrents: u64) -> u64 {
    let mut group = kept_connections(addr);
    let mut everybody =
        (0..PEERS).flat_map(|peer| (0..torrents).map(move |torrent| (torrent, peer)));
    let mut answers = 0;
    loop {
        let mut asked = 0;
        for (stream, (torrent, peer)) in group.iter_mut().zip(&mut everybody) {
            send(stream, &question(torrent, peer, true));
            asked += 1;
        }
        if asked == 0 {
            return answers;
        }
        for stream in group[..asked].iter_mut().rev() {
            read_answer(stream, true);
            answers += 1;
        }
    }
}

fn kept_connections(addr: SocketAddr) -> Vec<TcpStream> {
    let connect = |_| {
        let stream = TcpStream::connect(addr).expect("a tracker that is there");
        stream.set_nodelay(true).expect("an option that TCP has");
        stream
    };
    (0..GROUP).map(connect).collect()
}

fn ask(stream: &mut TcpStream, torrents: u64, state: &mut u64, keeps: bool) {
    let random = next(state);
    send(stream, &question(random % torrents, (random >> 32) % PEERS, keeps));
}

fn send(stream: &mut TcpStream, question: &str) {
    stream.write_all(question.as_bytes()).expect("a tracker that listens");
}

fn question(torrent: u64, peer: u64, keeps: bool) -> String {
    let hash: String = hash(torrent).iter().map(|byte| format!("%{byte:02X}")).collect();
    let connection = if keeps { "" } else { "Connection: close\r\n" };
    format!(
        "GET /announce?info_hash={hash}&peer_id=-XX0001-abcdefgh{peer:04}&port={}\
         &uploaded=0&downloaded=0&left={}&compact=1&numwant=50 HTTP/1.1\r\nHost: 127.0.0.1\r\n\
         User-Agent: load\r\n{connection}\r\n",
        1000 + peer,
        peer % 3
    )
}

/// Reads one answer; where the connection ends with it, up to its end.
fn read_answer(stream: &mut TcpStream, keeps: bool) {
    let mut buffer = [0; 4096];
    let mut len = 0;
    loop {
        let more = stream.read(&mut buffer[len..]).expect("an answer");
        len += more;
        let is_whole = match keeps {
            true => more == 0 || is_whole(&buffer[..len]),
            false => more == 0,
        };
        if is_whole {
            break;
        }
    }
    assert!(buffer.starts_with(b"HTTP/1.1 200") || buffer.starts_with(b"HTTP/1.0 200"));
    assert!(!buffer[..len].windows(7).any(|part| part == b"failure"), "it refuses");
}

/// Whether head and body are there.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|part| part == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let (_, length) = head.split_once("content-length: ").expect("a length");
    let length = length.split("\r\n").next().expect("a line");
    bytes.len() >= end + 4 + length.parse::<usize>().expect("a number")
}
