//! Web seeds: a torrent that only web servers have, good ones and others.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::workdir::{PATIENCE, Workdir, noise};

const LOCAL: &str = "127.0.0.1:0";

/// How a server behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Manners {
    Good,
    /// Ends each connection after its answer.
    Curt,
    /// Sends everybody to another path.
    Redirects,
    /// Knows no ranges.
    Whole,
    /// Has other bytes.
    Lies,
    /// Has nothing.
    Empty,
    /// Says nothing.
    Mute,
}

/// A web server for what lies in `dir/www`; returns its URL and how often it was asked.
fn serve(dir: &Workdir, manners: Manners) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(LOCAL).unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap());
    let root = dir.path("www");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (root, count) = (root.clone(), Arc::clone(&count));
            std::thread::spawn(move || {
                // Whoever leaves in the middle ends it.
                let _ = converse(stream, &root, manners, &count);
            });
        }
    });
    (site, asked)
}

fn converse(
    mut stream: TcpStream,
    root: &std::path::Path,
    manners: Manners,
    count: &AtomicUsize,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut target, mut range) = (String::new(), None);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            if let Some(rest) = line.strip_prefix("GET ") {
                target = rest.split(' ').next().unwrap_or_default().replace("%20", " ");
            } else if let Some(bytes) = line.strip_prefix("Range: bytes=") {
                let (first, last) = bytes.trim().split_once('-').unwrap();
                range = Some((first.parse::<usize>().unwrap(), last.parse::<usize>().unwrap()));
            }
            line.clear();
        }
        if target.is_empty() {
            return Ok(());
        }
        count.fetch_add(1, Ordering::Relaxed);
        let moved = target.strip_prefix("/new").map(str::to_owned);
        match manners {
            Manners::Mute => continue,
            Manners::Empty => {
                stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
                continue;
            }
            Manners::Redirects if moved.is_none() => {
                let target = target.replace(' ', "%20");
                write!(stream, "HTTP/1.1 302 Found\r\nLocation: /new{target}\r\n")?;
                stream.write_all(b"Content-Length: 0\r\n\r\n")?;
                continue;
            }
            _ => {}
        }
        let path = moved.unwrap_or(target);
        let mut bytes = fs::read(root.join(path.trim_start_matches('/')))?;
        if manners == Manners::Lies {
            bytes.fill(7);
        }
        let (first, last) = range.expect("every part is asked for as a range");
        let part = &bytes[first..=last];
        if manners == Manners::Whole {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len())?;
            stream.write_all(&bytes)?;
            continue;
        }
        let close = if manners == Manners::Curt { "Connection: close\r\n" } else { "" };
        let len = bytes.len();
        write!(stream, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes ")?;
        write!(stream, "{first}-{last}/{len}\r\n{close}Content-Length: {}\r\n\r\n", part.len())?;
        stream.write_all(part)?;
        if manners == Manners::Curt {
            return Ok(());
        }
    }
}

/// A torrent of several files that lie in `www/pub` and nowhere else, with these web seeds.
fn torrent(dir: &Workdir, sites: &[&str]) {
    dir.write("www/pub/show/one film.mkv", &noise(1, 700_000));
    dir.write("www/pub/show/notes/two.txt", &noise(2, 5_000));
    dir.write("www/pub/show/three.bin", &noise(3, 300_001));
    let urls: Vec<String> = sites.iter().map(|site| format!("{site}/pub/")).collect();
    let mut words = vec!["create", "www/pub/show", "-l", "32K", "--force"];
    urls.iter().for_each(|url| words.extend(["--web-seed", url]));
    dir.ok(&words);
}

fn is_complete(dir: &Workdir, copy: &str) {
    for name in ["one film.mkv", "notes/two.txt", "three.bin"] {
        let ours = dir.read(&format!("{copy}/show/{name}"));
        assert!(ours == dir.read(&format!("www/pub/show/{name}")), "{name}");
    }
}

#[test]
fn a_web_server_alone_completes_a_torrent() {
    for manners in [Manners::Good, Manners::Curt, Manners::Redirects] {
        let dir = Workdir::new(&format!("web-alone-{manners:?}"));
        let (site, asked) = serve(&dir, manners);
        torrent(&dir, &[&site]);
        assert!(dir.ok(&["info", "show.torrent"]).contains(&format!("web seeds    {site}/pub/")));
        let mut getter = dir.start(&["get", "show.torrent", "-d", "copy", "-l", LOCAL]);
        getter.wait_for("complete ");
        assert_eq!(getter.end(PATIENCE).code(), Some(0), "{:?}", getter.seen);
        is_complete(&dir, "copy");
        let asked = asked.load(Ordering::Relaxed);
        assert!((3..62).contains(&asked), "{manners:?}: {asked} requests for 62 blocks");
    }
}

#[test]
fn whoever_has_it_not_or_says_nothing_keeps_nobody_from_those_who_have_it() {
    let dir = Workdir::new("web-others");
    let others = [Manners::Empty, Manners::Mute, Manners::Whole].map(|m| serve(&dir, m).0);
    let (good, _) = serve(&dir, Manners::Good);
    // Nobody at all, and a protocol that is not spoken.
    let sites = [&others[0], "http://127.0.0.1:1", &others[1], &others[2], &good];
    torrent(&dir, &sites);
    let mut getter = dir.start(&["get", "show.torrent", "-d", "copy", "-l", LOCAL]);
    getter.wait_for("complete ");
    assert_eq!(getter.end(PATIENCE).code(), Some(0), "{:?}", getter.seen);
    is_complete(&dir, "copy");
}

#[test]
fn a_web_server_that_lies_is_banned() {
    let dir = Workdir::new("web-liar");
    let (liar, _) = serve(&dir, Manners::Lies);
    torrent(&dir, &[&liar]);
    let mut getter = dir.start(&["get", "show.torrent", "-d", "copy", "-l", LOCAL]);
    getter.wait_for("piece-failed ");
    getter.wait_for("banned ");
    assert_ne!(getter.stop(), Some(0));
}
