//! The keeper of the tracker's files, over a real directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, UNIX_EPOCH};

use swarmlet::base::limits::CENSUS_BYTES_MAX;
use swarmlet::base::{ConnId, InfoHash, Span, Time};
use swarmlet::format::census::{Census, MAGIC};
use swarmlet::format::http::{Headers, Request};
use swarmlet::tracker::library::Entry;
use swarmlet::tracker::{Errand, Kept, Library, Part, Policy, Rules, Service, Work};
use swarmlet::world::keeper::{Done, Finished, Keeper, Places, load_census, load_library};

use crate::scratch::Scratch;

/// A keeper of files in a scratch directory.
struct Stage {
    dir: Scratch,
    keeper: Keeper,
    woken: Receiver<()>,
    service: Service,
}

const CONN: ConnId = ConnId { slot: 3, generation: 1 };

impl Stage {
    fn new(name: &str) -> Stage {
        let dir = Scratch::new(name);
        fs::create_dir(dir.at("lib")).unwrap();
        let places = Places { library: Some(dir.at("lib")), state: Some(dir.at("state")) };
        let (wake, woken) = channel();
        let keeper = Keeper::new(places, move || {
            let _ = wake.send(());
        });
        let mut service = Service::new(Policy::default(), 1);
        service.open_library(Library::new(Rules::default()));
        service.keep_census();
        Stage { dir, keeper, woken, service }
    }

    /// The errand of a request.
    fn errand(&mut self, method: &str, target: &str, body: &[u8]) -> Errand {
        let head = b"POST / HTTP/1.1\r\nContent-Type: application/x-bittorrent\r\n\r\n";
        let headers = headers_of(head);
        let request = Request { method, target, keep_alive: true, headers, body };
        let from = ([10, 0, 0, 1], 1).into();
        let errand = self.service.http(Time::START, from, &request, &mut Vec::new());
        errand.expect("something to do")
    }

    fn done(&mut self) -> Done {
        self.woken.recv_timeout(Duration::from_secs(20)).expect("it answers");
        let mut all = self.keeper.collect();
        assert_eq!(all.len(), 1);
        all.pop().expect("one")
    }

    /// Carries one errand out; returns what became of it, and the response.
    fn run(&mut self, errand: Errand) -> (Kept, String) {
        let mut next = errand;
        loop {
            assert_eq!(self.keeper.submit_errand(Some(CONN), next), None);
            let Done::Errand(finished) = self.done() else { panic!("an errand") };
            let Finished { conn, errand, kept, .. } = *finished;
            assert_eq!(conn, Some(CONN));
            let mut answer = Vec::new();
            let Some(more) = self.service.finish(errand, kept.clone(), &mut answer) else {
                return (kept, String::from_utf8_lossy(&answer).into_owned());
            };
            next = more;
        }
    }

    fn part(&mut self, part: Part) -> std::io::Result<()> {
        assert!(self.keeper.submit_part(part));
        assert!(!self.keeper.takes_parts());
        let Done::Part(result) = self.done() else { panic!("a part") };
        assert!(self.keeper.takes_parts() && self.keeper.is_idle());
        result
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.dir.at(dir)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn headers_of(request: &'static [u8]) -> Headers<'static> {
    use swarmlet::format::http::{Parsed, Scan};
    match Request::parse(request, &mut Scan::default()) {
        Parsed::Done { request, .. } => request.headers,
        other => panic!("{other:?}"),
    }
}

fn hash_of(torrent: &[u8]) -> InfoHash {
    Entry::read(torrent).expect("a torrent").0
}

const TORRENT: &[u8] =
    b"d4:infod6:lengthi1e4:name4:film12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";

#[test]
fn what_is_stored_is_on_the_disk_and_comes_back() {
    let mut stage = Stage::new("keeper-store");
    let errand = stage.errand("POST", "/torrents", TORRENT);
    let name = format!("{}.torrent", hash_of(TORRENT));
    let (kept, answer) = stage.run(errand);
    assert_eq!(kept, Kept::Stored);
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert_eq!(stage.names("lib"), [name.as_str()]);
    assert_eq!(fs::read(stage.dir.at("lib").join(&name)).unwrap(), TORRENT);

    let errand = stage.errand("GET", &format!("/torrents/{name}"), b"");
    let (kept, answer) = stage.run(errand);
    assert_eq!(kept, Kept::Loaded(TORRENT.to_vec()));
    assert!(answer.ends_with(std::str::from_utf8(TORRENT).unwrap()), "{answer}");

    let errand = stage.errand("GET", &format!("/torrents/{name}"), b"");
    fs::remove_file(stage.dir.at("lib").join(&name)).unwrap();
    let (kept, answer) = stage.run(errand);
    assert_eq!(kept, Kept::Missing);
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[test]
fn a_directory_that_is_gone_and_links_in_it_are_failures() {
    let mut stage = Stage::new("keeper-gone");
    let errand = stage.errand("POST", "/torrents", TORRENT);
    let name = format!("{}.torrent", hash_of(TORRENT));
    fs::remove_dir(stage.dir.at("lib")).unwrap();
    let (kept, answer) = stage.run(errand);
    assert_eq!(kept, Kept::Failed);
    assert!(answer.starts_with("HTTP/1.1 507 "), "{answer}");
    fs::create_dir(stage.dir.at("lib")).unwrap();
    let errand = stage.errand("POST", "/torrents", TORRENT);
    assert_eq!(stage.run(errand).0, Kept::Stored);
    // Somebody puts a link to another file in its place: that file is not given out.
    fs::write(stage.dir.at("secret"), b"secret").unwrap();
    fs::remove_file(stage.dir.at("lib").join(&name)).unwrap();
    symlink(stage.dir.at("secret"), stage.dir.at("lib").join(&name)).unwrap();
    let errand = stage.errand("GET", &format!("/torrents/{name}"), b"");
    let (kept, answer) = stage.run(errand);
    assert_eq!(kept, Kept::Failed);
    assert!(answer.starts_with("HTTP/1.1 503 ") && !answer.contains("secret"), "{answer}");
}

#[test]
fn errands_are_bounded() {
    let mut stage = Stage::new("keeper-bound");
    let errand = stage.errand("POST", "/torrents", TORRENT);
    let mut count = 0;
    while stage.keeper.takes_errands() {
        assert_eq!(stage.keeper.submit_errand(None, errand.clone()), None);
        count += 1;
    }
    assert!((8..=64).contains(&count), "{count}");
    assert!(!stage.keeper.is_idle());
    let mut done = 0;
    while done < count {
        stage.woken.recv_timeout(Duration::from_secs(20)).expect("it answers");
        done += stage.keeper.collect().len();
    }
    assert!(stage.keeper.is_idle());
}

#[test]
fn a_census_replaces_the_one_before_when_it_is_whole() {
    let mut stage = Stage::new("keeper-census");
    let state = stage.dir.at("state");
    assert_eq!(load_census(&state).unwrap(), None);
    for part in [Part::Begin, Part::Swarms(Vec::new()), Part::End] {
        stage.part(part).unwrap();
    }
    let first = load_census(&state).unwrap().expect("a census");
    assert!(Census::parse(&first.census).is_ok());
    assert!(first.gone < Span::from_secs(60), "{:?}", first.gone);

    // One that is begun and not ended changes nothing.
    stage.part(Part::Begin).unwrap();
    stage.part(Part::Swarms(b"half of a swarm".to_vec())).unwrap();
    assert_eq!(load_census(&state).unwrap(), Some(first.clone()));
    assert_eq!(stage.names(""), ["lib", "state", "state.new"]);
    // And is forgotten by the next one.
    stage.part(Part::Begin).unwrap();
    stage.part(Part::End).unwrap();
    assert_eq!(stage.names(""), ["lib", "state"]);
    let second = load_census(&state).unwrap().expect("a census");
    assert_eq!(second.census.len(), first.census.len());
}

#[test]
fn a_census_that_cannot_be_written_leaves_the_one_before() {
    let mut stage = Stage::new("keeper-census-fails");
    stage.part(Part::Begin).unwrap();
    stage.part(Part::End).unwrap();
    fs::create_dir(stage.dir.at("state.new")).unwrap();
    assert!(stage.part(Part::Begin).is_err());
    assert!(stage.part(Part::Swarms(Vec::new())).is_err(), "none was begun");
    assert!(stage.part(Part::End).is_err());
    assert!(load_census(&stage.dir.at("state")).unwrap().is_some());
    fs::remove_dir(stage.dir.at("state.new")).unwrap();
    stage.part(Part::Begin).unwrap();
    stage.part(Part::End).unwrap();
}

#[test]
fn files_of_another_kind_are_no_state() {
    let dir = Scratch::new("keeper-foreign");
    let state = dir.at("state");
    fs::write(&state, b"").unwrap();
    assert_eq!(load_census(&state).unwrap(), None, "an empty file is none");
    for foreign in [&b"dear diary"[..], b"swarmlet census 2\n", b"s"] {
        fs::write(&state, foreign).unwrap();
        let error = load_census(&state).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    }
    // Begun by us, and damaged: that is known, but not an error of the file.
    fs::write(&state, MAGIC).unwrap();
    assert!(load_census(&state).unwrap().is_some());
    // A clock that was put back is no reason to forget everybody; nor is one from the future.
    let future = [&MAGIC[..], &u64::MAX.to_be_bytes()].concat();
    fs::write(&state, future).unwrap();
    assert_eq!(load_census(&state).unwrap().expect("there").gone, Span::ZERO);
    // Longer than any: seen without reading it all into memory.
    let file = fs::File::create(&state).unwrap();
    std::io::Write::write_all(&mut &file, MAGIC).unwrap();
    file.set_len(CENSUS_BYTES_MAX + 10).unwrap();
    let error = load_census(&state).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    assert!(load_census(&dir.at("")).is_err(), "a directory");
}

#[test]
fn a_library_is_read_in_the_order_in_which_it_grew() {
    let mut stage = Stage::new("keeper-load");
    let mut hashes: Vec<InfoHash> = Vec::new();
    for (age, letter) in ["c", "a", "b"].into_iter().enumerate() {
        let torrent = String::from_utf8_lossy(TORRENT).replace("4:film", &format!("4:fil{letter}"));
        let errand = stage.errand("POST", "/torrents", torrent.as_bytes());
        assert!(matches!(errand.work, Work::Judge { .. }));
        let hash = hash_of(torrent.as_bytes());
        stage.run(errand);
        let file = fs::File::open(stage.dir.at(&format!("lib/{hash}.torrent"))).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000 + age as u64)).unwrap();
        hashes.push(hash);
    }
    let mut odd = Vec::new();
    let library = load_library(&stage.dir.at("lib"), Rules::default(), &mut odd).unwrap();
    library.check();
    assert_eq!(odd, [""; 0]);
    let all = Default::default();
    let found: Vec<InfoHash> = library.find(&all, None).map(|(_, hash, _)| hash).collect();
    hashes.reverse();
    assert_eq!(found, hashes);
    // Fewer than there are: the oldest stay.
    let rules = Rules { torrents_max: 2, ..Rules::default() };
    let library = load_library(&stage.dir.at("lib"), rules, &mut odd).unwrap();
    assert_eq!((library.len(), odd.len()), (2, 1));
    assert!(library.get(hashes[2]).is_some());
    // A directory that is not there is made; where it cannot be, that is told.
    let made = load_library(&stage.dir.at("a/b"), Rules::default(), &mut odd).unwrap();
    assert!(made.is_empty() && stage.dir.at("a/b").is_dir());
    fs::write(stage.dir.at("file"), b"").unwrap();
    assert!(load_library(&stage.dir.at("file"), Rules::default(), &mut odd).is_err());
}
