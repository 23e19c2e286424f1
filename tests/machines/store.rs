//! The store and its neighbours, on real files in a scratch directory that goes away again.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use swarmlet::base::limits::{OPEN_FILES_MAX, WRITE_SLICES_MAX};
use swarmlet::base::{PieceIndex, TorrentId};
use swarmlet::border::DiskFault;
use swarmlet::format::layout::{File, Layout};
use swarmlet::format::resume::FileStamp;
use swarmlet::world::fault::fault;
use swarmlet::world::folder::{Access, Folder};
use swarmlet::world::gather::{Write, gather};
use swarmlet::world::handles::{Handles, Key};
use swarmlet::world::store::Store;

use crate::scratch::Scratch;

const T: TorrentId = TorrentId(1);

// ── Reading and writing ─────────────────────────────────────────────────────────────────────

#[test]
fn bytes_go_to_their_files_and_come_back() {
    // Five pieces of 7 bytes over three files and an empty one; the last piece is short.
    let layout = layout(7, &[("a", 3), ("b", 0), ("c/d", 20), ("c/e", 9)]);
    let (scratch, mut store) = scratch("roundtrip");
    let all: Vec<u8> = (0..32).collect();
    store.prepare(T, &layout).unwrap();
    for piece in layout.pieces() {
        let from = piece.at() * 7;
        let to = (from + 7).min(32);
        assert_eq!(put(&mut store, &layout, piece.get(), 0, &all[from..to]), Ok(()));
    }
    assert_eq!(fs::read(scratch.at("t/a")).unwrap(), &all[..3]);
    assert_eq!(fs::read(scratch.at("t/b")).unwrap(), b"");
    assert_eq!(fs::read(scratch.at("t/c/d")).unwrap(), &all[3..23]);
    assert_eq!(fs::read(scratch.at("t/c/e")).unwrap(), &all[23..]);
    // Every range of every piece.
    for piece in layout.pieces() {
        let len = layout.piece_len(piece);
        for begin in 0..len {
            for end in begin + 1..=len {
                let from = piece.at() * 7;
                let range = from + begin as usize..from + end as usize;
                let got = get(&mut store, &layout, piece.get(), begin, end - begin);
                assert_eq!(got.as_deref(), Ok(&all[range]));
            }
        }
    }
    store.check();
}

#[test]
fn a_program_is_made_with_the_right_to_be_run() {
    let program = |name: &str, len| File { executable: true, ..File::new(["t", name], len) };
    let files = vec![program("run", 5), File::new(["t", "text"], 5), program("empty", 0)];
    let layout = Layout::new(16, files).unwrap();
    let (scratch, mut store) = scratch("programs");
    store.prepare(T, &layout).unwrap();
    assert_eq!(put(&mut store, &layout, 0, 0, b"0123456789"), Ok(()));
    let may_run = |name: &str| fs::metadata(scratch.at(name)).unwrap().mode() & 0o100 != 0;
    assert!(may_run("t/run") && may_run("t/empty") && !may_run("t/text"));
    // One that is there already is left as it is.
    fs::set_permissions(scratch.at("t/run"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(put(&mut store, &layout, 0, 0, b"0123456789"), Ok(()));
    assert!(!may_run("t/run"));
}

#[test]
fn a_block_that_comes_first_leaves_a_hole_before_it() {
    let layout = layout(1 << 20, &[("a", 8 << 20)]);
    let (scratch, mut store) = scratch("sparse");
    store.prepare(T, &layout).unwrap();
    assert_eq!(put(&mut store, &layout, 7, 1000, b"late"), Ok(()));
    let metadata = fs::metadata(scratch.at("t/a")).unwrap();
    assert_eq!(metadata.len(), (7 << 20) + 1004);
    assert!(metadata.blocks() * 512 < 1 << 20, "{} blocks are allocated", metadata.blocks());
    assert_eq!(get(&mut store, &layout, 3, 5, 4), Ok(vec![0; 4]));
}

#[test]
fn padding_is_read_as_zeros_and_never_stored() {
    let layout = padded(8, &[("a", 5, false), (".pad/3", 3, true), ("b", 6, false)]);
    let (scratch, mut store) = scratch("padding");
    store.prepare(T, &layout).unwrap();
    assert!(!scratch.at("t/.pad").exists());
    assert_eq!(put(&mut store, &layout, 0, 0, b"hello\xff\xff\xff"), Ok(()));
    assert_eq!(put(&mut store, &layout, 1, 0, b"world!"), Ok(()));
    assert_eq!(get(&mut store, &layout, 0, 0, 8), Ok(b"hello\0\0\0".to_vec()));
    assert_eq!(get(&mut store, &layout, 1, 0, 6), Ok(b"world!".to_vec()));
    assert!(!scratch.at("t/.pad").exists());
    let pad = Some(FileStamp { len: 3, modified_nanos: 0 });
    let stamps = store.survey(T, &layout).unwrap();
    assert_eq!(stamps[1], pad);
    assert_eq!(stamps[0].unwrap().len, 5);
}

#[test]
fn a_file_that_is_missing_or_short_cannot_be_read() {
    let layout = layout(8, &[("a", 8), ("b", 8)]);
    let (scratch, mut store) = scratch("short");
    assert_eq!(get(&mut store, &layout, 0, 0, 8), Err(DiskFault::Missing), "no directory");
    store.prepare(T, &layout).unwrap();
    assert_eq!(get(&mut store, &layout, 0, 0, 8), Err(DiskFault::Missing), "no file");
    fs::write(scratch.at("t/a"), b"1234567").unwrap();
    assert_eq!(get(&mut store, &layout, 0, 0, 8), Err(DiskFault::Missing), "a byte short");
    assert_eq!(get(&mut store, &layout, 0, 0, 7), Ok(b"1234567".to_vec()));
    // Truncated while it is open.
    fs::OpenOptions::new().write(true).open(scratch.at("t/a")).unwrap().set_len(2).unwrap();
    assert_eq!(get(&mut store, &layout, 0, 0, 7), Err(DiskFault::Missing));
    assert_eq!(get(&mut store, &layout, 0, 0, 2), Ok(b"12".to_vec()));
}

#[test]
fn a_seed_opens_its_files_for_reading_only_until_it_must_write() {
    let (scratch, _) = scratch("upgrade");
    fs::create_dir(scratch.at("t")).unwrap();
    fs::write(scratch.at("t/a"), b"12345678").unwrap();
    let folder = Folder::new(scratch.0.clone());
    let mut handles = Handles::default();
    let key = Key { torrent: T, file: 0 };
    let mut asked = Vec::new();
    for access in [Access::Read, Access::Read, Access::Write, Access::Read, Access::Write] {
        let file = handles
            .get(key, access, || {
                asked.push(access);
                Ok(folder.open(&path("t/a"), access)?.file)
            })
            .unwrap();
        assert_eq!(file.write_at(b"x", 0).is_ok(), asked.contains(&Access::Write));
        handles.check();
    }
    assert_eq!(asked, [Access::Read, Access::Write]);
}

#[test]
fn a_removed_torrent_and_an_unknown_one_have_no_files() {
    let layout = layout(8, &[("a", 8)]);
    let (_scratch, mut store) = scratch("removed");
    store.prepare(T, &layout).unwrap();
    assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Ok(()));
    assert_eq!(store.open_files(), 1);
    store.remove(T);
    assert_eq!(store.open_files(), 0);
    assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Err(DiskFault::Missing));
    assert_eq!(get(&mut store, &layout, 0, 0, 8), Err(DiskFault::Missing));
    assert_eq!(store.survey(T, &layout), Err(DiskFault::Missing));
    let mut results = Vec::new();
    let write =
        Write { torrent: TorrentId(9), piece: PieceIndex::checked(0), begin: 0, bytes: b"1" };
    store.write(&[write], |_| None, &mut results);
    assert_eq!(results, [Err(DiskFault::Missing)]);
}

#[test]
fn the_download_directory_is_never_made_by_a_write() {
    let layout = layout(8, &[("a", 8)]);
    let (scratch, _) = scratch("unmounted");
    let mut store = Store::new();
    store.add(T, scratch.at("card/films"));
    assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Err(DiskFault::Missing));
    assert!(!scratch.at("card").exists());
    store.prepare(T, &layout).unwrap();
    assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Ok(()));
    // But a directory of the torrent that went away comes back.
    fs::remove_dir_all(scratch.at("card/films/t")).unwrap();
    store.survey(T, &layout).unwrap();
    assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Ok(()));
}

// ── Gathering ───────────────────────────────────────────────────────────────────────────────

#[test]
fn neighbours_leave_in_one_write() {
    let layout = layout(10, &[("a", 25), ("b", 25)]);
    // On the left what is written (piece, begin, bytes), on the right how many calls that takes.
    type Case = (&'static [(u32, u32, &'static [u8])], u64);
    let cases: [Case; 8] = [
        (&[(0, 0, b"01234")], 1),
        (&[(0, 0, b"01234"), (0, 5, b"56789")], 1),
        (&[(0, 0, b"01234"), (0, 5, b"56789"), (1, 0, b"0123456789")], 1),
        (&[(0, 5, b"56789"), (0, 0, b"01234")], 2),
        (&[(0, 0, b"0123"), (0, 5, b"56789")], 2),
        (&[(2, 0, b"0123456789")], 2),
        (&[(2, 0, b"01234"), (2, 5, b"56789")], 2),
        (&[(2, 0, b"0123456"), (2, 7, b"789"), (3, 0, b"01")], 2),
    ];
    let (_scratch, mut store) = scratch("gather");
    store.prepare(T, &layout).unwrap();
    for (list, calls) in cases {
        let before = store.writes();
        let writes: Vec<Write<'_>> =
            list.iter().map(|&(piece, begin, bytes)| write(piece, begin, bytes)).collect();
        let mut results = vec![Err(DiskFault::Failed)];
        store.write(&writes, |_| Some(&layout), &mut results);
        assert_eq!(results, vec![Ok(()); list.len()]);
        assert_eq!(store.writes() - before, calls, "{list:?}");
        for &(piece, begin, bytes) in list {
            let len = u32::try_from(bytes.len()).unwrap();
            assert_eq!(get(&mut store, &layout, piece, begin, len).as_deref(), Ok(bytes));
        }
    }
}

#[test]
fn torrents_are_not_mixed_up() {
    let layout = layout(10, &[("a", 10)]);
    let (scratch, mut store) = scratch("torrents");
    store.add(TorrentId(2), scratch.at("second"));
    store.prepare(T, &layout).unwrap();
    store.prepare(TorrentId(2), &layout).unwrap();
    let first = write(0, 0, b"first");
    let second = Write { torrent: TorrentId(2), ..write(0, 5, b"other") };
    let mut results = Vec::new();
    store.write(&[first, second], |_| Some(&layout), &mut results);
    assert_eq!(results, [Ok(()), Ok(())]);
    assert_eq!(fs::read(scratch.at("t/a")).unwrap(), b"first");
    assert_eq!(fs::read(scratch.at("second/t/a")).unwrap(), b"\0\0\0\0\0other");
}

#[test]
fn a_run_never_has_more_slices_than_the_kernel_takes() {
    let layout = layout(4096, &[("a", 4096)]);
    let bytes: Vec<u8> = (0..=255).cycle().take(600).collect();
    let writes: Vec<Write<'_>> =
        (0..600).map(|at| write(0, at, &bytes[at as usize..][..1])).collect();
    let runs = gather(&writes, |_| Some(&layout));
    assert_eq!(runs.iter().map(|run| run.parts.len()).collect::<Vec<_>>(), [256, 256, 88]);
    assert_eq!(WRITE_SLICES_MAX, 256);
    let (scratch, mut store) = scratch("slices");
    store.prepare(T, &layout).unwrap();
    store.write(&writes, |_| Some(&layout), &mut Vec::new());
    assert_eq!(fs::read(scratch.at("t/a")).unwrap(), bytes);
    assert_eq!(store.writes(), 3);
}

#[test]
fn one_write_that_fails_leaves_the_others_alone() {
    let layout = layout(10, &[("a", 15), ("b", 10), ("c", 5)]);
    let (scratch, mut store) = scratch("partly");
    store.prepare(T, &layout).unwrap();
    fs::create_dir(scratch.at("t/b")).unwrap();
    let writes = [
        write(0, 0, b"0123456789"),
        write(1, 0, b"01234"),
        write(1, 5, b"56789"),
        write(2, 0, b"0123456789"),
    ];
    let mut results = Vec::new();
    store.write(&writes, |_| Some(&layout), &mut results);
    let wrong = Err(DiskFault::WrongKind);
    assert_eq!(results, [Ok(()), Ok(()), wrong, wrong]);
    assert_eq!(fs::read(scratch.at("t/a")).unwrap(), b"012345678901234");
    assert_eq!(fs::read(scratch.at("t/c")).unwrap(), b"56789");
}

// ── What else may stand there ───────────────────────────────────────────────────────────────

#[test]
fn a_symbolic_link_is_refused_at_every_depth() {
    let layout = layout(8, &[("b/c/d", 8)]);
    for link in ["t", "t/b", "t/b/c", "t/b/c/d"] {
        for dangling in [false, true] {
            let (scratch, mut store) = scratch("links");
            let outside = scratch.at("outside");
            if !dangling {
                // Complete below the link, so that only the link itself is wrong.
                fs::create_dir_all(outside.join("b/c")).unwrap();
                for place in ["b/c/d", "c", "d"] {
                    let place = outside.join(place);
                    match place.is_dir() {
                        true => fs::write(place.join("d"), b"precious").unwrap(),
                        false => fs::write(place, b"precious").unwrap(),
                    }
                }
            }
            fs::create_dir_all(scratch.at(link).parent().unwrap()).unwrap();
            let target = if link == "t/b/c/d" { outside.join("d") } else { outside.clone() };
            symlink(&target, scratch.at(link)).unwrap();
            let what = format!("{link}, dangling: {dangling}");
            let wrong = DiskFault::WrongKind;
            assert_eq!(store.survey(T, &layout), Err(wrong), "{what}");
            assert_eq!(put(&mut store, &layout, 0, 0, b"overrun!"), Err(wrong), "{what}");
            assert_eq!(get(&mut store, &layout, 0, 0, 8), Err(wrong), "{what}");
            if link != "t/b/c/d" {
                assert_eq!(store.prepare(T, &layout), Err(wrong), "{what}");
            }
            if dangling {
                assert!(!outside.exists(), "{what}");
            } else {
                assert_eq!(fs::read(outside.join("d")).unwrap(), b"precious", "{what}");
                assert_eq!(fs::read(outside.join("b/c/d")).unwrap(), b"precious", "{what}");
            }
        }
    }
}

#[test]
fn the_download_directory_itself_may_be_a_link() {
    let layout = layout(8, &[("a", 8)]);
    let (scratch, _) = scratch("rootlink");
    fs::create_dir(scratch.at("real")).unwrap();
    symlink(scratch.at("real"), scratch.at("link")).unwrap();
    let mut store = Store::new();
    store.add(T, scratch.at("link"));
    store.prepare(T, &layout).unwrap();
    assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Ok(()));
    assert_eq!(fs::read(scratch.at("real/t/a")).unwrap(), b"12345678");
}

#[test]
fn a_link_put_in_the_place_of_an_open_file_is_seen_by_the_next_survey() {
    let layout = layout(8, &[("a", 8)]);
    let (scratch, mut store) = scratch("swapped");
    store.prepare(T, &layout).unwrap();
    assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Ok(()));
    fs::write(scratch.at("precious"), b"precious").unwrap();
    fs::remove_file(scratch.at("t/a")).unwrap();
    symlink(scratch.at("precious"), scratch.at("t/a")).unwrap();
    // The file that we hold open has no name any more; nothing reaches the link's target.
    assert_eq!(put(&mut store, &layout, 0, 0, b"overrun!"), Ok(()));
    assert_eq!(store.survey(T, &layout), Err(DiskFault::WrongKind));
    assert_eq!(put(&mut store, &layout, 0, 0, b"overrun!"), Err(DiskFault::WrongKind));
    assert_eq!(fs::read(scratch.at("precious")).unwrap(), b"precious");
}

#[test]
fn a_directory_for_a_file_and_a_file_for_a_directory_are_refused() {
    let layout = layout(8, &[("b/c", 8)]);
    let wrong = DiskFault::WrongKind;
    for (made, is_dir) in [("t/b/c", true), ("t/b", false), ("t", false), ("", false)] {
        let (scratch, mut store) = scratch("kinds");
        match is_dir {
            true => fs::create_dir_all(scratch.at(made)).unwrap(),
            false => {
                if let Some(parent) = Path::new(made).parent() {
                    fs::create_dir_all(scratch.at(parent.to_str().unwrap())).unwrap();
                } else {
                    fs::remove_dir(&scratch.0).unwrap();
                }
                fs::write(scratch.at(made), b"kept").unwrap();
            }
        }
        assert_eq!(store.survey(T, &layout), Err(wrong), "{made}");
        assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Err(wrong), "{made}");
        assert_eq!(get(&mut store, &layout, 0, 0, 8), Err(wrong), "{made}");
        if !is_dir {
            assert_eq!(store.prepare(T, &layout), Err(wrong), "{made}");
            assert_eq!(fs::read(scratch.at(made)).unwrap(), b"kept");
        }
    }
}

#[test]
fn pipes_and_sockets_are_refused_without_waiting() {
    let layout = layout(8, &[("a", 8)]);
    let wrong = DiskFault::WrongKind;
    let (scratch, mut store) = scratch("pipes");
    fs::create_dir(scratch.at("t")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, scratch.at("t/a"), mode).unwrap();
    assert_eq!(store.survey(T, &layout), Err(wrong));
    assert_eq!(get(&mut store, &layout, 0, 0, 8), Err(wrong));
    assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Err(wrong));
    fs::remove_file(scratch.at("t/a")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(scratch.at("t/a")).unwrap();
    assert_eq!(store.survey(T, &layout), Err(wrong));
    assert_eq!(get(&mut store, &layout, 0, 0, 8), Err(wrong));
    assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Err(wrong));
}

#[test]
fn no_torrent_reaches_into_our_own_directory() {
    for name in [".swarmlet", ".Swarmlet"] {
        let files = vec![File::new([name, "0123.resume"], 8)];
        let layout = Layout::new(8, files).unwrap();
        let (scratch, mut store) = scratch("forged");
        assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Err(DiskFault::WrongKind));
        assert_eq!(store.prepare(T, &layout), Err(DiskFault::WrongKind));
        assert_eq!(store.survey(T, &layout), Err(DiskFault::WrongKind));
        assert!(!scratch.at(name).exists());
    }
}

#[test]
#[should_panic(expected = "is not a name")]
fn a_name_that_the_layout_should_have_cleaned_stops_the_program() {
    let (scratch, _) = scratch("unclean");
    let folder = Folder::new(scratch.0.clone());
    let _ = folder.open(&path("t/../../x"), Access::Write);
}

#[test]
fn a_read_only_share_is_prepared_surveyed_and_read() {
    let layout = layout(8, &[("b/a", 8), ("b/e", 0)]);
    let (scratch, mut store) = scratch("readonly");
    // Root may write everywhere but on a read-only file system, which it alone can make.
    let Some(tmpfs) = Tmpfs::mount(&scratch) else { return };
    fs::create_dir_all(scratch.at("t/b")).unwrap();
    fs::write(scratch.at("t/b/a"), b"12345678").unwrap();
    fs::write(scratch.at("t/b/e"), b"").unwrap();
    assert!(tmpfs.is_mounted_as("remount,ro"));
    assert_eq!(store.prepare(T, &layout), Ok(()));
    assert!(store.survey(T, &layout).unwrap().iter().all(Option::is_some));
    assert_eq!(get(&mut store, &layout, 0, 0, 8), Ok(b"12345678".to_vec()));
    assert_eq!(put(&mut store, &layout, 0, 0, b"12345678"), Err(DiskFault::Denied));
}

#[test]
fn a_full_disk_is_full_and_takes_writes_again_when_there_is_room() {
    let layout = layout(4 << 20, &[("a", 4 << 20)]);
    let (scratch, mut store) = scratch("full");
    let Some(_tmpfs) = Tmpfs::mount(&scratch) else { return };
    store.prepare(T, &layout).unwrap();
    fs::write(scratch.at("other"), vec![0; 700_000]).unwrap();
    let bytes = vec![7; 256 << 10];
    assert_eq!(put(&mut store, &layout, 0, 0, &bytes), Ok(()));
    assert_eq!(put(&mut store, &layout, 0, 256 << 10, &bytes), Err(DiskFault::Full));
    // Cutting it frees the room at once; removing it, only once nobody has it open any more, and a
    // test beside this one may have forked while it was.
    fs::write(scratch.at("other"), b"").unwrap();
    assert_eq!(put(&mut store, &layout, 0, 256 << 10, &bytes), Ok(()));
    assert_eq!(get(&mut store, &layout, 0, 0, 512 << 10), Ok(vec![7; 512 << 10]));
}

// ── Surveys ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_survey_says_what_is_there() {
    let layout = layout(8, &[("a", 8), ("b/c", 8), ("b/d", 8), ("e", 0), ("f", 3)]);
    let (scratch, mut store) = scratch("survey");
    assert_eq!(store.survey(T, &layout), Ok(vec![None; 5]), "an empty directory");
    fs::create_dir_all(scratch.at("t/b")).unwrap();
    fs::write(scratch.at("t/b/c"), b"123").unwrap();
    fs::write(scratch.at("t/f"), b"longer than it should be").unwrap();
    let stamps = store.survey(T, &layout).unwrap();
    let lens: Vec<_> = stamps.iter().map(|stamp| stamp.map(|stamp| stamp.len)).collect();
    assert_eq!(lens, [None, Some(3), None, None, Some(24)]);
    let modified = fs::metadata(scratch.at("t/b/c")).unwrap();
    let nanos = modified.mtime() * 1_000_000_000 + modified.mtime_nsec();
    assert_eq!(stamps[1].unwrap().modified_nanos, nanos);
    store.prepare(T, &layout).unwrap();
    let stamps = store.survey(T, &layout).unwrap();
    assert_eq!(stamps[3].unwrap().len, 0, "empty files are made");
    assert_eq!(stamps[0], None, "others when the first byte comes");
    assert_eq!(fs::read(scratch.at("t/b/c")).unwrap(), b"123", "and nothing is touched");
}

#[test]
fn a_download_directory_that_is_not_there_is_an_empty_one() {
    let layout = layout(8, &[("a", 8)]);
    let (scratch, _) = scratch("nowhere");
    let mut store = Store::new();
    store.add(T, scratch.at("not/yet"));
    assert_eq!(store.survey(T, &layout), Ok(vec![None]));
}

// ── Bounds ──────────────────────────────────────────────────────────────────────────────────

#[test]
fn thousands_of_files_with_a_handful_open() {
    let count = 3000u32;
    let files = (0..count)
        .map(|number| {
            File::new(["t".to_string(), format!("d{}", number / 100), format!("{number}")], 5)
        })
        .collect();
    let layout = Layout::new(5, files).unwrap();
    let (_scratch, mut store) = scratch("thousands");
    store.prepare(T, &layout).unwrap();
    for piece in 0..count {
        assert_eq!(put(&mut store, &layout, piece, 0, &[piece as u8; 5]), Ok(()));
        assert!(store.open_files() <= OPEN_FILES_MAX);
    }
    store.check();
    assert_eq!(store.open_files(), OPEN_FILES_MAX);
    for piece in (0..count).rev() {
        assert_eq!(get(&mut store, &layout, piece, 0, 5), Ok(vec![piece as u8; 5]));
    }
    store.check();
    assert_eq!(store.open_files(), OPEN_FILES_MAX);
    assert!(store.survey(T, &layout).unwrap().iter().all(|stamp| stamp.unwrap().len == 5));
    assert_eq!(store.open_files(), 0);
}

#[test]
fn the_file_used_longest_ago_is_closed_first() {
    let (scratch, _) = scratch("lru");
    fs::write(scratch.at("x"), b"x").unwrap();
    let mut handles = Handles::default();
    let mut use_file = |file: usize| {
        let mut opened = false;
        handles
            .get(Key { torrent: T, file }, Access::Read, || {
                opened = true;
                fs::File::open(scratch.at("x"))
            })
            .unwrap();
        opened
    };
    for file in 0..OPEN_FILES_MAX {
        assert!(use_file(file));
    }
    assert!(!use_file(0), "still open, and now the one used last");
    assert!(use_file(1000), "takes the place of number 1");
    assert!(!use_file(0));
    assert!(!use_file(2));
    assert!(use_file(1));
}

#[test]
fn a_full_descriptor_table_costs_half_of_the_handles_and_then_says_busy() {
    let (scratch, _) = scratch("busy");
    fs::write(scratch.at("x"), b"x").unwrap();
    let full = || std::io::Error::from(rustix::io::Errno::MFILE);
    let mut handles = Handles::default();
    for file in 0..10 {
        let key = Key { torrent: T, file };
        handles.get(key, Access::Read, || fs::File::open(scratch.at("x"))).unwrap();
    }
    let mut tries = 0;
    let key = Key { torrent: T, file: 10 };
    let opened = handles.get(key, Access::Read, || {
        tries += 1;
        if tries == 1 { Err(full()) } else { fs::File::open(scratch.at("x")) }
    });
    assert!(opened.is_ok());
    assert_eq!((tries, handles.len()), (2, 6));
    let key = Key { torrent: T, file: 11 };
    let error = handles.get(key, Access::Read, || Err(full())).unwrap_err();
    assert_eq!(fault(&error), DiskFault::Busy);
    assert_eq!(handles.len(), 3);
}

// ── Faults ──────────────────────────────────────────────────────────────────────────────────

#[test]
fn error_numbers_become_faults() {
    use rustix::io::Errno;
    let cases = [
        (Errno::NOENT, DiskFault::Missing),
        (Errno::NOSPC, DiskFault::Full),
        (Errno::DQUOT, DiskFault::Full),
        (Errno::FBIG, DiskFault::Full),
        (Errno::ACCESS, DiskFault::Denied),
        (Errno::PERM, DiskFault::Denied),
        (Errno::ROFS, DiskFault::Denied),
        (Errno::NOTDIR, DiskFault::WrongKind),
        (Errno::ISDIR, DiskFault::WrongKind),
        (Errno::LOOP, DiskFault::WrongKind),
        (Errno::EXIST, DiskFault::WrongKind),
        (Errno::MFILE, DiskFault::Busy),
        (Errno::NFILE, DiskFault::Busy),
        (Errno::IO, DiskFault::Failed),
        (Errno::INVAL, DiskFault::Failed),
    ];
    for (errno, expected) in cases {
        assert_eq!(fault(&errno.into()), expected, "{errno:?}");
    }
    assert_eq!(fault(&std::io::ErrorKind::UnexpectedEof.into()), DiskFault::Missing);
    assert_eq!(fault(&std::io::ErrorKind::WriteZero.into()), DiskFault::Failed);
}

#[test]
fn a_file_larger_than_the_file_system_takes_is_a_full_disk() {
    // Every Linux file system has a largest file, far below 2^63 bytes.
    let (scratch, _) = scratch("efbig");
    let file = fs::File::create(scratch.at("x")).unwrap();
    let error = file.write_at(b"x", i64::MAX as u64 - 2).unwrap_err();
    assert_eq!(fault(&error), DiskFault::Full);
}

#[test]
fn what_fits_below_a_limit_is_written_and_the_rest_is_a_full_disk() {
    // `ulimit -f` holds for a whole process, so this needs one of its own.
    let tests = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -f 16 && exec \"$0\" --ignored --exact store::below_a_limit"])
        .arg(tests)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{:?} {said}", output.status);
}

#[test]
#[ignore = "run by the test above, in a process with a file size limit"]
fn below_a_limit() {
    use rustix::process::{Resource, getrlimit};

    swarmlet::world::sys::take_file_size_signal().unwrap();
    let limit = getrlimit(Resource::Fsize).current.expect("the caller has set one");
    let limit = u32::try_from(limit).unwrap();
    let layout = layout(4 * limit, &[("a", 4 * u64::from(limit)), ("b", 8)]);
    let (scratch, mut store) = scratch("limit");
    store.prepare(T, &layout).unwrap();
    let bytes: Vec<u8> = (0..=250).cycle().take(2 * limit as usize).collect();
    // The second slice ends at the limit, the third one crosses it (or begins there).
    for second in [limit - 100, limit - 110] {
        let (first, rest) = bytes.split_at(100);
        let (second, rest) = rest.split_at(second as usize);
        let third = &rest[..20];
        let begin = 100 + u32::try_from(second.len()).unwrap();
        let writes = [
            write(0, 0, first),
            write(0, 100, second),
            write(0, begin, third),
            write(0, begin + 20, third),
            write(1, 0, b"other"),
        ];
        let mut results = Vec::new();
        store.write(&writes, |_| Some(&layout), &mut results);
        let full = Err(DiskFault::Full);
        assert_eq!(results, [Ok(()), Ok(()), full, full, Ok(())]);
        assert_eq!(fs::read(scratch.at("t/a")).unwrap(), &bytes[..limit as usize]);
        assert_eq!(fs::read(scratch.at("t/b")).unwrap(), b"other");
    }
}

// ── Tools ───────────────────────────────────────────────────────────────────────────────────

/// A file system of one MiB, taken away at the end of a test, however that ends.
struct Tmpfs(std::path::PathBuf);

impl Tmpfs {
    /// `None`, and a line that says so, where we may not mount.
    fn mount(scratch: &Scratch) -> Option<Tmpfs> {
        let tmpfs = Tmpfs(scratch.at(""));
        let is_mounted = tmpfs.is_mounted_as("size=1m");
        if !is_mounted {
            eprintln!("skipped: a tmpfs cannot be mounted here");
        }
        is_mounted.then_some(tmpfs)
    }

    fn is_mounted_as(&self, options: &str) -> bool {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.0);
        mount.stderr(std::process::Stdio::null());
        mount.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily, since the store may still have files open.
        let mut unmount = std::process::Command::new("umount");
        let _ = unmount.arg("-l").arg(&self.0).stderr(std::process::Stdio::null()).status();
    }
}

/// An empty directory, and a store whose torrent `T` lives in it.
fn scratch(name: &str) -> (Scratch, Store) {
    let scratch = Scratch::new(name);
    let mut store = Store::new();
    store.add(T, scratch.at(""));
    (scratch, store)
}

/// Files below the torrent directory `t`.
fn layout(piece_bytes: u32, files: &[(&str, u64)]) -> Layout {
    let files: Vec<_> = files.iter().map(|&(path, len)| (path, len, false)).collect();
    padded(piece_bytes, &files)
}

fn padded(piece_bytes: u32, files: &[(&str, u64, bool)]) -> Layout {
    let files = files
        .iter()
        .map(|&(name, len, pad)| File { pad, ..File::new(path(&format!("t/{name}")), len) })
        .collect();
    Layout::new(piece_bytes, files).unwrap()
}

fn path(text: &str) -> Vec<String> {
    text.split('/').map(String::from).collect()
}

fn write(piece: u32, begin: u32, bytes: &[u8]) -> Write<'_> {
    Write { torrent: T, piece: PieceIndex::checked(piece), begin, bytes }
}

fn put(
    store: &mut Store,
    layout: &Layout,
    piece: u32,
    begin: u32,
    bytes: &[u8],
) -> Result<(), DiskFault> {
    let mut results = Vec::new();
    store.write(&[write(piece, begin, bytes)], |_| Some(layout), &mut results);
    assert_eq!(results.len(), 1);
    results[0]
}

fn get(
    store: &mut Store,
    layout: &Layout,
    piece: u32,
    begin: u32,
    len: u32,
) -> Result<Vec<u8>, DiskFault> {
    let mut bytes = vec![0xee; len as usize];
    store.read(T, layout, PieceIndex::checked(piece), begin, &mut bytes).map(|()| bytes)
}
