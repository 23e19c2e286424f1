//! Erasing: a removed torrent takes its own files along, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;

use swarmlet::base::TorrentId;
use swarmlet::base::limits::CLOSED_ASIDE_BYTES_MIN;
use swarmlet::border::DiskFault;
use swarmlet::format::layout::{File, Layout};
use swarmlet::world::store::Store;

use crate::scratch::Scratch;

const T: TorrentId = TorrentId(1);
const U: TorrentId = TorrentId(2);

fn layout(files: &[(&str, u64)]) -> Layout {
    let files = files.iter().map(|(path, len)| File::new(path.split('/'), *len)).collect();
    Layout::new(8, files).unwrap()
}

/// A store whose torrent T lies in `t`.
fn scratch(name: &str, files: &[(&str, u64)]) -> (Scratch, Store, Layout) {
    let scratch = Scratch::new(&format!("erase-{name}"));
    let mut store = Store::new();
    store.add(T, scratch.at("t"));
    let layout = layout(files);
    fs::create_dir(scratch.at("t")).unwrap();
    for file in layout.files() {
        let path = scratch.at("t").join(file.path.join("/"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"12345678").unwrap();
    }
    (scratch, store, layout)
}

#[test]
fn its_files_and_the_directories_that_are_empty_then_are_gone_and_nothing_else() {
    let files = [("top/a", 8), ("top/b/c", 8), ("top/b/d/e", 8), ("top/f/g", 8)];
    let (scratch, mut store, layout) = scratch("exact", &files);
    fs::write(scratch.at("t/top/b/mine"), b"kept").unwrap();
    fs::write(scratch.at("t/mine"), b"kept").unwrap();
    assert_eq!(store.erase(T, &layout, 0..4, &[]), Ok(()));
    assert_eq!(fs::read(scratch.at("t/top/b/mine")).unwrap(), b"kept");
    assert_eq!(fs::read(scratch.at("t/mine")).unwrap(), b"kept");
    for gone in ["t/top/a", "t/top/b/c", "t/top/b/d", "t/top/f"] {
        assert!(!scratch.at(gone).exists(), "{gone} is still there");
    }
    // What is gone already is no fault, and without the stranger's file the rest goes, too.
    fs::remove_file(scratch.at("t/top/b/mine")).unwrap();
    fs::write(scratch.at("t/top/b/c"), b"again").unwrap();
    assert_eq!(store.erase(T, &layout, 0..4, &[]), Ok(()));
    assert!(!scratch.at("t/top").exists());
    assert!(scratch.at("t").exists(), "the download directory stays");
}

#[test]
fn of_a_long_file_the_last_handle_is_left_to_be_closed_elsewhere() {
    let (scratch, mut store, _) = scratch("long", &[("top/a", 8), ("top/b", 8)]);
    let lens = [CLOSED_ASIDE_BYTES_MIN, CLOSED_ASIDE_BYTES_MIN - 1];
    let layout = layout(&[("top/a", lens[0]), ("top/b", lens[1])]);
    for (name, len) in ["t/top/a", "t/top/b"].into_iter().zip(lens) {
        fs::File::options().write(true).open(scratch.at(name)).unwrap().set_len(len).unwrap();
    }
    assert_eq!(store.erase(T, &layout, 0..2, &[]), Ok(()));
    assert!(!scratch.at("t/top").exists());
    let left: Vec<u64> =
        store.take_left().iter().map(|file| file.metadata().unwrap().len()).collect();
    assert_eq!(left, [CLOSED_ASIDE_BYTES_MIN]);
    assert!(store.take_left().is_empty());
}

#[test]
fn a_file_that_another_torrent_has_as_well_stays() {
    let (scratch, mut store, first) = scratch("shared", &[("top/a", 8), ("top/b", 8)]);
    let other = layout(&[("top/b", 8), ("top/c", 8)]);
    store.add(U, scratch.at("t"));
    assert_eq!(store.erase(T, &first, 0..2, &[(U, &other)]), Ok(()));
    assert!(!scratch.at("t/top/a").exists());
    assert!(scratch.at("t/top/b").exists());
    // In another download directory the same path is another file.
    let (scratch, mut store, first) = self::scratch("apart", &[("top/a", 8), ("top/b", 8)]);
    store.add(U, scratch.at("u"));
    assert_eq!(store.erase(T, &first, 0..2, &[(U, &other)]), Ok(()));
    assert!(!scratch.at("t/top").exists());
}

#[test]
fn row_96_nothing_is_deleted_through_a_link_that_stands_in_the_way() {
    let (scratch, mut store, layout) = scratch("links", &[("top/a", 8), ("top/b/c", 8)]);
    fs::create_dir_all(scratch.at("outside/b")).unwrap();
    for name in ["outside/a", "outside/c", "outside/b/c"] {
        fs::write(scratch.at(name), b"not ours").unwrap();
    }
    // A file became a link, and a directory another one.
    fs::remove_file(scratch.at("t/top/a")).unwrap();
    symlink(scratch.at("outside/a"), scratch.at("t/top/a")).unwrap();
    fs::remove_dir_all(scratch.at("t/top/b")).unwrap();
    symlink(scratch.at("outside"), scratch.at("t/top/b")).unwrap();
    assert_eq!(store.erase(T, &layout, 0..2, &[]), Err(DiskFault::WrongKind));
    // The torrent's own directory became one.
    fs::remove_dir_all(scratch.at("t/top")).unwrap();
    symlink(scratch.at("outside"), scratch.at("t/top")).unwrap();
    assert_eq!(store.erase(T, &layout, 0..2, &[]), Err(DiskFault::WrongKind));
    for name in ["outside/a", "outside/c", "outside/b/c"] {
        assert_eq!(fs::read(scratch.at(name)).unwrap(), b"not ours");
    }
    assert!(scratch.at("t/top").is_symlink(), "what is not ours stays");
}

#[test]
fn a_directory_in_the_place_of_a_file_stays() {
    let (scratch, mut store, layout) = scratch("kinds", &[("top/a", 8), ("top/b", 8)]);
    fs::remove_file(scratch.at("t/top/a")).unwrap();
    fs::create_dir(scratch.at("t/top/a")).unwrap();
    assert_eq!(store.erase(T, &layout, 0..2, &[]), Err(DiskFault::WrongKind));
    assert!(scratch.at("t/top/a").is_dir());
    assert!(!scratch.at("t/top/b").exists(), "the others are tried all the same");
}
