//! Making pieces of files, and checking files against pieces.

use std::fs;
use std::os::unix::fs::symlink;

use swarmlet::base::limits::PATH_DEPTH_MAX;
use swarmlet::base::{PieceIndex, TorrentId};
use swarmlet::border::DiskFault;
use swarmlet::format::digest::Digest;
use swarmlet::format::layout::{File, Layout};
use swarmlet::world::hashing::{self, Found, Sums};
use swarmlet::world::store::Store;

use crate::scratch::Scratch;

const T: TorrentId = TorrentId(1);

#[test]
fn a_tree_is_listed_in_the_order_of_its_components() {
    let scratch = Scratch::new("walk");
    for (path, bytes) in [("b", "22"), ("a/c", "333"), ("a/b/x", ""), ("a.txt", "4444")] {
        fs::create_dir_all(scratch.at(path).parent().unwrap()).unwrap();
        fs::write(scratch.at(path), bytes).unwrap();
    }
    fs::create_dir(scratch.at("empty")).unwrap();
    fs::create_dir(scratch.at(".swarmlet")).unwrap();
    fs::write(scratch.at(".swarmlet/x.resume"), "ours").unwrap();
    let tree = hashing::walk(&scratch.at("")).unwrap();
    let found: Vec<_> = tree.files.iter().map(|file| (file.path.join("/"), file.len)).collect();
    let expected = [("a/b/x", 0), ("a/c", 3), ("a.txt", 4), ("b", 2)];
    assert_eq!(found, expected.map(|(path, len)| (path.to_string(), len)));
    assert_eq!((tree.bytes, tree.warnings.len()), (9, 0));
}

#[test]
fn a_single_file_has_no_components_and_may_be_reached_by_a_link() {
    let scratch = Scratch::new("walkfile");
    fs::write(scratch.at("file"), "12345").unwrap();
    symlink(scratch.at("file"), scratch.at("link")).unwrap();
    for name in ["file", "link"] {
        let tree = hashing::walk(&scratch.at(name)).unwrap();
        assert_eq!(tree.files, [Found { path: Vec::new(), len: 5, pad: false }]);
        let hashes = hashing::hash_pieces(&scratch.at(name), &tree.files, 16384, |_| ()).unwrap();
        assert_eq!(hashes, [Digest::of(b"12345")]);
    }
}

#[test]
fn what_a_torrent_cannot_carry_is_left_out_with_a_warning() {
    let scratch = Scratch::new("leftout");
    fs::write(scratch.at("kept"), "1").unwrap();
    symlink(scratch.at("kept"), scratch.at("link")).unwrap();
    symlink(scratch.at(""), scratch.at("circle")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(scratch.at("socket")).unwrap();
    fs::write(scratch.at("back\\slash"), "1").unwrap();
    fs::write(scratch.at("\u{1b}[2Jclear"), "1").unwrap();
    let tree = hashing::walk(&scratch.at("")).unwrap();
    assert_eq!(tree.files, [Found { path: vec!["kept".to_string()], len: 1, pad: false }]);
    assert_eq!(tree.warnings.len(), 5, "{:?}", tree.warnings);
    assert!(tree.warnings.iter().all(|warning| !warning.contains('\u{1b}')));
    assert!(tree.warnings.iter().any(|warning| warning.ends_with("/link: a symbolic link")));
}

#[test]
fn a_tree_deeper_than_a_torrent_may_be_ends_there() {
    let scratch = Scratch::new("deep");
    let mut dir = scratch.at("");
    for _ in 0..PATH_DEPTH_MAX + 5 {
        dir.push("d");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("f"), "1").unwrap();
    }
    let tree = hashing::walk(&scratch.at("")).unwrap();
    let deepest = tree.files.iter().map(|file| file.path.len()).max();
    assert_eq!(deepest, Some(PATH_DEPTH_MAX - 1));
    assert_eq!(tree.warnings.len(), 2, "a directory and a file");
}

#[test]
fn what_is_not_there_or_no_tree_is_trouble_with_its_path() {
    let scratch = Scratch::new("trouble");
    let error = hashing::walk(&scratch.at("nothing")).unwrap_err();
    assert!(error.to_string().contains("nothing"), "{error}");
    let error = hashing::walk(std::path::Path::new("/dev/null")).unwrap_err();
    assert_eq!(error.to_string(), "/dev/null: neither a file nor a directory");
}

#[test]
fn pieces_run_across_files_whatever_their_length() {
    let scratch = Scratch::new("pieces");
    let all: Vec<u8> = (0..700_000u32).map(|at| (at * 7 % 251) as u8).collect();
    let cuts = [0, 1, 300_000, 300_000, 650_001, 700_000];
    for (number, cut) in cuts.windows(2).enumerate() {
        fs::write(scratch.at(&number.to_string()), &all[cut[0]..cut[1]]).unwrap();
    }
    let tree = hashing::walk(&scratch.at("")).unwrap();
    for piece_bytes in [16384, 12345, 262_144, 699_999, 700_000, 700_001, 1 << 29] {
        let mut read = 0;
        let hashes =
            hashing::hash_pieces(&scratch.at(""), &tree.files, piece_bytes, |bytes| read += bytes);
        let expected: Vec<[u8; 20]> = all.chunks(piece_bytes as usize).map(Digest::of).collect();
        assert_eq!(hashes.unwrap(), expected, "{piece_bytes}");
        assert_eq!(read, 700_000);
    }
}

#[test]
fn a_file_that_grows_or_shrinks_meanwhile_is_trouble() {
    let scratch = Scratch::new("grows");
    fs::write(scratch.at("a"), "12345").unwrap();
    for len in [4, 6] {
        let files = [Found { path: vec!["a".to_string()], len, pad: false }];
        let error = hashing::hash_pieces(&scratch.at(""), &files, 16384, |_| ()).unwrap_err();
        assert!(error.to_string().ends_with("/a: its length changed while it was read"));
    }
    fs::remove_file(scratch.at("a")).unwrap();
    symlink("/dev/zero", scratch.at("a")).unwrap();
    let files = [Found { path: vec!["a".to_string()], len: 5, pad: false }];
    assert!(hashing::hash_pieces(&scratch.at(""), &files, 16384, |_| ()).is_err());
}

#[test]
fn verify_says_which_pieces_are_right() {
    let scratch = Scratch::new("verify");
    let all: Vec<u8> = (0..100).collect();
    let pad = File { pad: true, ..File::new(["t", "pad"], 7) };
    let files = vec![File::new(["t", "a"], 33), pad, File::new(["t", "b"], 60)];
    let layout = Layout::new(10, files).unwrap();
    let mut whole = all.clone();
    whole[33..40].fill(0);
    let hashes: Vec<[u8; 20]> = whole.chunks(10).map(Digest::of).collect();
    let verify = |hashes: &[[u8; 20]]| {
        let mut store = Store::new();
        store.add(T, scratch.at(""));
        let mut seen = 0;
        let right = hashing::verify(&mut store, T, &layout, hashes, |bytes| seen += bytes)?;
        assert_eq!(seen, 100);
        Ok::<_, DiskFault>(right.iter().map(PieceIndex::get).collect::<Vec<_>>())
    };
    assert_eq!(verify(&hashes), Ok(vec![]), "nothing is there");
    fs::create_dir(scratch.at("t")).unwrap();
    fs::write(scratch.at("t/a"), &whole[..33]).unwrap();
    fs::write(scratch.at("t/b"), &whole[40..95]).unwrap();
    assert_eq!(verify(&hashes), Ok((0..9).collect()), "the last is short");
    fs::write(scratch.at("t/b"), &whole[40..]).unwrap();
    assert_eq!(verify(&hashes), Ok((0..10).collect()));
    let mut damaged = whole[..33].to_vec();
    damaged[32] ^= 1;
    fs::write(scratch.at("t/a"), damaged).unwrap();
    assert_eq!(verify(&hashes), Ok(vec![0, 1, 2, 4, 5, 6, 7, 8, 9]));
    fs::remove_file(scratch.at("t/b")).unwrap();
    fs::create_dir(scratch.at("t/b")).unwrap();
    assert_eq!(verify(&hashes), Ok(vec![0, 1, 2]), "a directory is not the file");
}

#[test]
fn padding_lets_each_file_begin_with_a_piece_of_its_own() {
    let scratch = Scratch::new("padded");
    let lens = [("a", 10), ("b", 0), ("c", 20), ("d", 16), ("e", 33), ("f", 1), ("g", 0)];
    for (name, len) in lens {
        fs::write(scratch.at(name), vec![name.as_bytes()[0]; len]).unwrap();
    }
    let mut tree = hashing::walk(&scratch.at("")).unwrap();
    tree.pad(16);
    let found: Vec<_> = tree.files.iter().map(|file| (file.path.join("/"), file.pad)).collect();
    let names = ["a", ".pad/6", "b", "c", ".pad/12", "d", "e", ".pad/15", "f", "g"];
    assert_eq!(found, names.map(|name| (name.to_owned(), name.starts_with(".pad"))));
    let expected: Vec<[u8; 20]> = [
        [vec![b'a'; 10], vec![0; 6]].concat(),
        vec![b'c'; 16],
        [vec![b'c'; 4], vec![0; 12]].concat(),
        vec![b'd'; 16],
        vec![b'e'; 16],
        vec![b'e'; 16],
        [vec![b'e'; 1], vec![0; 15]].concat(),
        vec![b'f'; 1],
    ]
    .map(|piece| Digest::of(&piece))
    .to_vec();
    let hashes = hashing::hash_pieces(&scratch.at(""), &tree.files, 16, |_| ()).unwrap();
    assert_eq!(hashes, expected);
}

#[test]
fn a_file_whose_own_hash_is_another_is_found() {
    let scratch = Scratch::new("sums");
    fs::create_dir(scratch.at("t")).unwrap();
    // The second begins and ends inside a piece, and is read in more than one go.
    let bytes = [vec![1; 7], vec![2; 700_000], vec![3; 5]];
    let sums = [Digest::of(&bytes[0]), Digest::of(&bytes[1]), Digest::of(b"another")];
    let file = |number: usize| {
        let name = number.to_string();
        fs::write(scratch.at("t").join(&name), &bytes[number]).unwrap();
        let sha1 = Some(Box::new(sums[number]));
        File { sha1, ..File::new(["t".to_owned(), name], bytes[number].len() as u64) }
    };
    let plain = File::new(["t", "absent"], 3);
    let layout = Layout::new(100_000, vec![file(0), file(1), plain, file(2)]).unwrap();
    let mut store = Store::new();
    store.add(T, scratch.at(""));
    assert_eq!(hashing::other_sums(&mut store, T, &layout, |_| true), Ok(vec![3]));
    let others = hashing::other_sums(&mut store, T, &layout, |number| number != 3);
    assert_eq!(others, Ok(vec![]));
    fs::remove_file(scratch.at("t/1")).unwrap();
    let mut store = Store::new();
    store.add(T, scratch.at(""));
    let others = hashing::other_sums(&mut store, T, &layout, |_| true);
    assert_eq!(others, Err(DiskFault::Missing));
    // In small steps it comes to the same.
    let layout = Layout::new(7, vec![File { sha1: Some(Box::new([0; 20])), ..file(0) }]).unwrap();
    let (mut sums, mut steps) = (Sums::new(T), 0);
    while !sums.step(&mut store, &layout, |_| true, &mut [0; 3]).unwrap() {
        steps += 1;
    }
    assert_eq!((sums.others, steps), (vec![0], 3));
}
