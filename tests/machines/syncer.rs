//! Resume records on disk, and the thread that makes data safe before they claim it.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use swarmlet::base::limits::{CLOSING_MAX, RESUME_BYTES_MAX};
use swarmlet::base::{Bits, InfoHash, PieceIndex, Span, TorrentId};
use swarmlet::border::DiskFault;
use swarmlet::format::layout::{File, Layout};
use swarmlet::format::resume::{FileStamp, Resume};
use swarmlet::world::folder::Folder;
use swarmlet::world::gather::Write;
use swarmlet::world::resume::{self, Unusable};
use swarmlet::world::store::Store;
use swarmlet::world::syncer::{Changed, Job, Outcome, Saved, Syncer};

use crate::scratch::Scratch;

const T: TorrentId = TorrentId(1);
const HASH: InfoHash = InfoHash([0xab; 20]);
const NAME: &str = "abababababababababababababababababababab.resume";
const LONG: Span = Span::from_secs(60);

// ── Records ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_record_is_saved_loaded_and_removed() {
    let (scratch, folder) = folder("record");
    let layout = layout();
    assert_eq!(resume::load(&folder, HASH, &layout), Ok(None), "none yet");
    assert_eq!(resume::remove(&folder, HASH), Ok(()), "that is no fault");
    let first = record(&[0]);
    resume::save(&folder, &first).unwrap();
    assert_eq!(resume::load(&folder, HASH, &layout), Ok(Some(first)));
    let second = record(&[0, 2]);
    resume::save(&folder, &second).unwrap();
    assert_eq!(resume::load(&folder, HASH, &layout), Ok(Some(second)));
    assert_eq!(entries(&scratch, ".swarmlet"), [NAME], "nothing is left beside it");
    // The directory goes with the last record, not before.
    let other = Resume { info_hash: InfoHash([1; 20]), ..record(&[]) };
    resume::save(&folder, &other).unwrap();
    resume::remove(&folder, HASH).unwrap();
    assert_eq!(resume::load(&folder, HASH, &layout), Ok(None));
    assert!(scratch.at(".swarmlet").exists());
    resume::remove(&folder, other.info_hash).unwrap();
    assert!(!scratch.at(".swarmlet").exists());
    assert!(scratch.at("").exists());
}

#[test]
fn a_record_that_cannot_be_replaced_stays_as_it_was() {
    let (scratch, folder) = folder("atomic");
    let layout = layout();
    let old = record(&[0]);
    resume::save(&folder, &old).unwrap();
    // The new one cannot be written, because its place beside the old one is taken.
    let beside = scratch.at(&format!(".swarmlet/{NAME}.new"));
    fs::create_dir(&beside).unwrap();
    assert_eq!(resume::save(&folder, &record(&[1])), Err(DiskFault::WrongKind));
    assert_eq!(resume::load(&folder, HASH, &layout), Ok(Some(old)));
    fs::remove_dir(&beside).unwrap();
    // The new one is written, but the rename fails, because a directory is in the way.
    let place = scratch.at(&format!(".swarmlet/{NAME}"));
    fs::remove_file(&place).unwrap();
    fs::create_dir_all(place.join("kept")).unwrap();
    assert_eq!(resume::save(&folder, &record(&[1])), Err(DiskFault::WrongKind));
    assert!(place.join("kept").exists());
    assert!(!beside.exists(), "the new record is taken away again");
    assert_eq!(
        resume::load(&folder, HASH, &layout),
        Err(Unusable::Unreadable(DiskFault::WrongKind))
    );
}

#[test]
fn a_leftover_of_a_crash_is_overwritten() {
    let (scratch, folder) = folder("leftover");
    fs::create_dir(scratch.at(".swarmlet")).unwrap();
    fs::write(scratch.at(&format!(".swarmlet/{NAME}.new")), vec![b'x'; 100_000]).unwrap();
    resume::save(&folder, &record(&[2])).unwrap();
    assert_eq!(resume::load(&folder, HASH, &layout()), Ok(Some(record(&[2]))));
}

#[test]
fn a_record_that_makes_no_sense_is_not_used() {
    let (scratch, folder) = folder("corrupt");
    let layout = layout();
    resume::save(&folder, &record(&[0])).unwrap();
    let place = scratch.at(&format!(".swarmlet/{NAME}"));
    let good = fs::read(&place).unwrap();
    for bytes in [&b""[..], b"garbage", &good[..good.len() / 2]] {
        fs::write(&place, bytes).unwrap();
        let loaded = resume::load(&folder, HASH, &layout);
        assert!(matches!(loaded, Err(Unusable::Malformed(_))), "{loaded:?}");
    }
    // Sparse, so it costs nothing here; and not much there.
    fs::File::create(&place).unwrap().set_len(RESUME_BYTES_MAX as u64 + 1).unwrap();
    assert_eq!(resume::load(&folder, HASH, &layout), Err(Unusable::TooLong));
    // Records that are well-formed, but of something else.
    let strangers = [
        Resume { info_hash: InfoHash([1; 20]), ..record(&[0]) },
        Resume { have: Bits::none(4), ..record(&[]) },
        Resume { files: vec![None; 2], ..record(&[]) },
    ];
    for stranger in strangers {
        let mut bytes = Vec::new();
        stranger.write(&mut bytes);
        fs::write(&place, bytes).unwrap();
        assert_eq!(resume::load(&folder, HASH, &layout), Err(Unusable::Foreign));
    }
}

#[test]
fn records_are_not_written_through_links() {
    let (scratch, folder) = folder("recordlink");
    fs::create_dir(scratch.at("elsewhere")).unwrap();
    symlink(scratch.at("elsewhere"), scratch.at(".swarmlet")).unwrap();
    assert_eq!(resume::save(&folder, &record(&[0])), Err(DiskFault::WrongKind));
    assert_eq!(entries(&scratch, "elsewhere"), [""; 0]);
    fs::remove_file(scratch.at(".swarmlet")).unwrap();
    fs::create_dir(scratch.at(".swarmlet")).unwrap();
    fs::write(scratch.at("precious"), b"precious").unwrap();
    symlink(scratch.at("precious"), scratch.at(&format!(".swarmlet/{NAME}.new"))).unwrap();
    assert_eq!(resume::save(&folder, &record(&[0])), Err(DiskFault::WrongKind));
    assert_eq!(fs::read(scratch.at("precious")).unwrap(), b"precious");
}

// ── Jobs ────────────────────────────────────────────────────────────────────────────────────

#[test]
fn what_was_written_is_synced_once_and_stamped() {
    let (scratch, folder) = folder("job");
    let (layout, mut store) = (layout(), Store::new());
    store.add(T, scratch.at(""));
    store.prepare(T, &layout).unwrap();
    store.survey(T, &layout).unwrap();
    put(&mut store, &layout, 0, b"01234567");
    let job = store.job(T, &layout, record(&[0])).unwrap();
    // Piece 0 has all of `a` and the beginning of `b/c`; `e` was made empty.
    assert_eq!(job.files.iter().map(|file| file.file).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(job.files.iter().all(|file| file.made && !file.doubted));
    let saved = job.run();
    assert_eq!(saved.result, Ok(()));
    assert_eq!(saved.have, record(&[0]).have);
    store.on_saved(&saved);
    let stamps = store.survey(T, &layout).unwrap();
    let loaded = resume::load(&folder, HASH, &layout).unwrap().unwrap();
    assert_eq!(loaded.files, stamps);
    assert_eq!(loaded.have, record(&[0]).have);
    assert_eq!(stamps[0].unwrap().len, 5);

    // Only what is written from now on is in the next job, and none of it is new.
    put(&mut store, &layout, 1, b"89");
    let job = store.job(T, &layout, record(&[0, 1])).unwrap();
    let changed = Changed { file: 1, path: path("t/b/c"), made: false, doubted: false };
    assert_eq!(job.files, [changed]);
    store.on_saved(&job.run());
    let loaded = resume::load(&folder, HASH, &layout).unwrap().unwrap();
    assert_eq!(Ok(loaded.files), store.survey(T, &layout));
    assert_eq!(store.job(T, &layout, record(&[0, 1])).unwrap().files, []);
    store.check();
}

#[test]
fn a_file_that_changes_behind_our_back_keeps_its_old_stamp() {
    let (scratch, _folder) = folder("behind");
    let (layout, mut store) = (layout(), Store::new());
    store.add(T, scratch.at(""));
    store.prepare(T, &layout).unwrap();
    put(&mut store, &layout, 0, b"01234567");
    let before = store.survey(T, &layout).unwrap();
    let saved = store_job(&mut store, &layout).run();
    store.on_saved(&saved);
    fs::write(scratch.at("t/a"), b"changed by somebody").unwrap();
    let job = store_job(&mut store, &layout);
    assert_eq!(job.record.files[0], before[0], "so that the next run sees the difference");
}

#[test]
fn a_job_on_a_file_that_is_gone_claims_nothing() {
    let (scratch, folder) = folder("gone");
    let (layout, mut store) = (layout(), Store::new());
    store.add(T, scratch.at(""));
    store.prepare(T, &layout).unwrap();
    store.survey(T, &layout).unwrap();
    put(&mut store, &layout, 0, b"01234567");
    fs::remove_file(scratch.at("t/b/c")).unwrap();
    let saved = store_job(&mut store, &layout).run();
    assert_eq!(saved.result, Err(DiskFault::Missing));
    let outcomes: Vec<bool> =
        saved.files.iter().map(|(_, outcome)| matches!(outcome, Outcome::Safe(_))).collect();
    assert_eq!(outcomes, [true, false, false]);
    assert_eq!(resume::load(&folder, HASH, &layout), Ok(None));
    store.on_saved(&saved);
    assert_eq!(store.unsafe_for(T), Some(DiskFault::Missing));
    // What was not synced comes again, until a survey finds that it is not there.
    let again: Vec<usize> = store_job(&mut store, &layout).files.iter().map(|f| f.file).collect();
    assert_eq!(again, [1, 2]);
    put(&mut store, &layout, 0, b"01234567");
    store.survey(T, &layout).unwrap();
    let job = store_job(&mut store, &layout);
    assert_eq!(job.files.iter().map(|f| f.file).collect::<Vec<_>>(), [0]);
    store.on_saved(&job.run());
    assert_eq!(store.unsafe_for(T), None, "nothing is left that could be lost");
}

#[test]
fn a_file_whose_sync_failed_is_never_vouched_for_again() {
    let (scratch, folder) = folder("doubt");
    let (layout, mut store) = (layout(), Store::new());
    store.add(T, scratch.at(""));
    store.prepare(T, &layout).unwrap();
    put(&mut store, &layout, 0, b"01234567");
    let job = store_job(&mut store, &layout);
    let files =
        job.files.into_iter().map(|file| (file, Outcome::Doubtful)).take(1).collect::<Vec<_>>();
    let have = Bits::none(3);
    assert_eq!(store.unsafe_for(T), None);
    store.on_saved(&Saved { torrent: T, have, result: Err(DiskFault::Failed), files });
    assert_eq!(store.unsafe_for(T), Some(DiskFault::Failed));
    // Written once more, and this time the sync succeeds.
    put(&mut store, &layout, 0, b"01234567");
    let job = store_job(&mut store, &layout);
    assert!(job.files[0].doubted && !job.files[1].doubted);
    let saved = job.run();
    assert_eq!(saved.result, Ok(()));
    store.on_saved(&saved);
    let loaded = resume::load(&folder, HASH, &layout).unwrap().unwrap();
    assert_eq!(loaded.files[0], None);
    assert_eq!(loaded.files[1].unwrap().len, 3);
    assert_eq!(store_job(&mut store, &layout).record.files[0], None);
    assert_eq!(store.unsafe_for(T), Some(DiskFault::Failed), "one success makes it no better");
    store.check();
}

#[test]
fn a_share_without_room_for_a_record_says_so() {
    let (scratch, _folder) = folder("norecord");
    let (layout, mut store) = (layout(), Store::new());
    store.add(T, scratch.at(""));
    store.prepare(T, &layout).unwrap();
    fs::write(scratch.at(".swarmlet"), b"a file").unwrap();
    put(&mut store, &layout, 0, b"01234567");
    let saved = store_job(&mut store, &layout).run();
    assert_eq!(saved.result, Err(DiskFault::WrongKind));
    assert!(saved.files.iter().all(|(_, outcome)| matches!(outcome, Outcome::Safe(_))));
    store.on_saved(&saved);
    assert_eq!(store_job(&mut store, &layout).files, [], "the data is safe all the same");
    assert_eq!(store.unsafe_for(T), None);
}

// ── The thread ──────────────────────────────────────────────────────────────────────────────

#[test]
fn the_syncer_answers_every_torrent_and_wakes() {
    let (scratch, folder) = folder("thread");
    let woken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&woken);
    let mut syncer = Syncer::new(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    assert!(syncer.is_idle());
    assert_eq!(syncer.wait(LONG), [], "nothing to wait for");
    for torrent in 1..=20 {
        syncer.submit(job(&scratch, torrent, &[0], &[]));
        syncer.check();
    }
    assert!(!syncer.is_idle());
    let mut torrents: Vec<u32> = Vec::new();
    while torrents.len() < 20 {
        for saved in syncer.wait(LONG) {
            assert_eq!(saved.result, Ok(()));
            torrents.push(saved.torrent.0);
        }
        syncer.check();
    }
    assert_eq!(torrents, (1..=20).collect::<Vec<_>>());
    assert!(syncer.is_idle());
    assert_eq!(syncer.collect(), []);
    assert!(woken.load(Ordering::SeqCst) >= 19, "the last may be about to");
    assert!(resume::load(&folder, hash_of(20), &layout()).unwrap().is_some());
}

#[test]
fn of_two_jobs_that_wait_the_newer_is_done_with_the_files_of_both() {
    let (scratch, folder) = folder("newest");
    let (hold, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    // The thread stops in `wake` after its first job, until we say so: then two more wait.
    let mut syncer = Syncer::new(move || {
        let _ = held.lock().unwrap().recv();
    });
    for name in ["t/a", "t/b/c"] {
        fs::create_dir_all(scratch.at(name).parent().unwrap()).unwrap();
        fs::write(scratch.at(name), b"12345").unwrap();
    }
    syncer.submit(job(&scratch, 1, &[0], &[]));
    syncer.submit(job(&scratch, 2, &[0], &[(0, "t/a", true)]));
    syncer.submit(job(&scratch, 2, &[0, 1], &[(0, "t/a", false), (1, "t/b/c", true)]));
    syncer.submit(job(&scratch, 3, &[], &[]));
    syncer.check();
    drop(hold);
    let saved = syncer.wait(LONG);
    let torrents: Vec<u32> = saved.iter().map(|saved| saved.torrent.0).collect();
    assert_eq!(torrents, [1, 2, 3]);
    let made: Vec<(usize, bool)> =
        saved[1].files.iter().map(|(file, _)| (file.file, file.made)).collect();
    assert_eq!(made, [(0, true), (1, true)]);
    let loaded = resume::load(&folder, hash_of(2), &layout()).unwrap().unwrap();
    assert_eq!(loaded.have, bits(&[0, 1]));
    assert_eq!(loaded.files[0].unwrap().len, 5);
}

#[test]
fn a_job_that_waits_for_one_that_fails_fails_with_it() {
    let (scratch, folder) = folder("together");
    let mut syncer = Syncer::new(|| ());
    // The file is not there, so its bytes cannot be made safe; the second record would claim it.
    syncer.submit(job(&scratch, 1, &[0], &[(0, "t/a", true)]));
    syncer.submit(job(&scratch, 1, &[0, 1], &[]));
    let results: Vec<_> = syncer.wait(LONG).into_iter().map(|saved| saved.result).collect();
    assert_eq!(results, [Err(DiskFault::Missing), Err(DiskFault::Missing)]);
    assert_eq!(resume::load(&folder, hash_of(1), &layout()), Ok(None));
    assert!(syncer.is_idle());
}

#[test]
fn a_job_that_waits_learns_the_stamps_of_the_one_before() {
    let (scratch, folder) = folder("learn");
    fs::create_dir(scratch.at("t")).unwrap();
    fs::write(scratch.at("t/a"), b"12345").unwrap();
    let mut syncer = Syncer::new(|| ());
    syncer.submit(job(&scratch, 1, &[0], &[(0, "t/a", true)]));
    // Made before the first was answered: it knows nothing of the file yet.
    syncer.submit(job(&scratch, 1, &[0, 1], &[]));
    assert_eq!(syncer.wait(LONG).len(), 2);
    let loaded = resume::load(&folder, hash_of(1), &layout()).unwrap().unwrap();
    assert_eq!(loaded.have, bits(&[0, 1]));
    assert_eq!(loaded.files[0].unwrap().len, 5);
}

#[test]
fn waiting_ends_when_the_time_is_up() {
    let (scratch, _folder) = folder("bounded");
    let mut syncer = Syncer::new(|| ());
    // A pipe in the record's place would make an open without `O_NONBLOCK` wait for ever.
    fs::create_dir(scratch.at(".swarmlet")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let place = scratch.at(&format!(".swarmlet/{}.resume.new", hash_of(1)));
    rustix::fs::mkfifoat(rustix::fs::CWD, place, mode).unwrap();
    syncer.submit(job(&scratch, 1, &[0], &[]));
    let saved = syncer.wait(LONG);
    assert_eq!(saved[0].result, Err(DiskFault::WrongKind));
    // With no time at all, whatever is not done is left.
    syncer.submit(job(&scratch, 2, &[0], &[]));
    let at_once = syncer.wait(Span::ZERO);
    assert_eq!(at_once.len() + syncer.wait(LONG).len(), 1);
}

// ── Tools ───────────────────────────────────────────────────────────────────────────────────

fn folder(name: &str) -> (Scratch, Folder) {
    let scratch = Scratch::new(&format!("sync-{name}"));
    let folder = Folder::new(scratch.at(""));
    (scratch, folder)
}

/// Three pieces of 8 bytes (the last of 6) over four files, one of them empty.
fn layout() -> Layout {
    let files = [("t/a", 5), ("t/b/c", 10), ("t/e", 0), ("t/f", 7)];
    let files = files.into_iter().map(|(name, len)| File::new(path(name), len)).collect();
    Layout::new(8, files).unwrap()
}

fn path(text: &str) -> Vec<String> {
    text.split('/').map(String::from).collect()
}

fn bits(pieces: &[u32]) -> Bits {
    let mut have = Bits::none(3);
    for &piece in pieces {
        have.set(PieceIndex::checked(piece));
    }
    have
}

fn record(pieces: &[u32]) -> Resume {
    let stamp = FileStamp { len: 5, modified_nanos: 1_700_000_000_123_456_789 };
    Resume {
        info_hash: HASH,
        have: bits(pieces),
        files: vec![Some(stamp), None, None, Some(stamp)],
        clean: false,
        uploaded: 12,
        downloaded: 34,
    }
}

fn hash_of(torrent: u32) -> InfoHash {
    InfoHash([u8::try_from(torrent).unwrap(); 20])
}

fn job(scratch: &Scratch, torrent: u32, pieces: &[u32], files: &[(usize, &str, bool)]) -> Job {
    let files = files
        .iter()
        .map(|&(file, name, made)| Changed { file, path: path(name), made, doubted: false })
        .collect();
    let info_hash = hash_of(torrent);
    let record = Resume { info_hash, files: vec![None; 4], ..record(pieces) };
    Job { torrent: TorrentId(torrent), folder: Folder::new(scratch.at("")), files, record }
}

fn store_job(store: &mut Store, layout: &Layout) -> Job {
    store.job(T, layout, record(&[0])).unwrap()
}

fn put(store: &mut Store, layout: &Layout, piece: u32, bytes: &[u8]) {
    let write = Write { torrent: T, piece: PieceIndex::checked(piece), begin: 0, bytes };
    let mut results = Vec::new();
    store.write(&[write], |_| Some(layout), &mut results);
    assert_eq!(results, [Ok(())]);
}

fn entries(scratch: &Scratch, dir: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(scratch.at(dir))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_left_of_long_files_is_closed_aside_however_many_there_are() {
    let mut syncer = Syncer::new(|| {});
    let mut ends = Vec::new();
    for _ in 0..5 * CLOSING_MAX {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ends.push(ours);
        syncer.close(fs::File::from(OwnedFd::from(theirs)));
    }
    assert!(syncer.is_idle(), "nobody waits for that");
    for mut end in ends {
        // Hears the end when the other handle is closed.
        assert_eq!(end.read(&mut [0]).unwrap(), 0);
    }
}
