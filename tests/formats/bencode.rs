//! Bencode: what the gate lets through, what it refuses and where, and canonical writing.

use std::fs;

use proptest::prelude::*;
use swarmlet::base::limits::BENCODE_DEPTH_MAX;
use swarmlet::format::bencode::{Dict, Item, Oddities, Strictness, Writer, scan};

use Strictness::{Lenient, Strict};

/// Every file of `fixtures/bencode/KIND`, by name.
fn fixtures(kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/fixtures/bencode/{kind}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the fixtures are there")
        .map(|entry| entry.expect("a readable folder"))
        .filter(|entry| entry.file_name() != "README")
        .map(|entry| {
            let name = entry.file_name().into_string().expect("an ASCII name");
            (name, fs::read(entry.path()).expect("a readable fixture"))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// What is wrong, where; as a strict and as a lenient reader sees it.
fn verdicts(bytes: &[u8]) -> [Result<(), String>; 2] {
    [Strict, Lenient].map(|how| scan(bytes, how).map(|_| ()).map_err(|why| why.to_string()))
}

#[test]
fn canonical_values_pass_both_ways() {
    for text in [
        "i0e",
        "i-1e",
        "i9223372036854775807e",
        "i-9223372036854775808e",
        "0:",
        "4:spam",
        "le",
        "de",
        "l4:spami7elee",
        "d1:ai1e1:bd1:c0:ee",
        "d0:i1e1:ai1ee",
    ] {
        assert_eq!(verdicts(text.as_bytes()), [Ok(()), Ok(())], "{text}");
    }
}

#[test]
fn what_nobody_may_read_is_refused_both_ways() {
    let table = [
        ("", "the input ends in the middle of a value, at byte 0"),
        ("i12", "the input ends in the middle of a number, at byte 3"),
        ("i", "the input ends in the middle of a number, at byte 1"),
        ("ie", "0x65 inside a number, at byte 1"),
        ("i-e", "0x65 inside a number, at byte 2"),
        ("i--1e", "0x2d inside a number, at byte 2"),
        ("i+1e", "0x2b inside a number, at byte 1"),
        ("i 1e", "0x20 inside a number, at byte 1"),
        ("i1.5e", "0x2e inside a number, at byte 2"),
        ("i9223372036854775808e", "integer does not fit in 64 bits, at byte 0"),
        ("i-9223372036854775809e", "integer does not fit in 64 bits, at byte 0"),
        ("i99999999999999999999e", "number does not fit in 64 bits, at byte 1"),
        ("5:abc", "a string of 5 bytes where 3 are left, at byte 0"),
        (
            "9999999999999999999:a",
            "a string of 9999999999999999999 bytes where 1 are left, at byte 0",
        ),
        ("99999999999999999999:a", "number does not fit in 64 bits, at byte 0"),
        ("d2222222222:l", "a string of 2222222222 bytes where 1 are left, at byte 1"),
        ("-1:a", "0x2d begins no bencoded value, at byte 0"),
        ("+1:a", "0x2b begins no bencoded value, at byte 0"),
        ("5", "the input ends in the middle of a number, at byte 1"),
        ("5x", "0x78 inside a number, at byte 1"),
        ("x", "0x78 begins no bencoded value, at byte 0"),
        ("e", "an end without a beginning, at byte 0"),
        ("l", "the input ends in the middle of a value, at byte 1"),
        ("l4:spam", "the input ends in the middle of a value, at byte 7"),
        ("d1:ai1e", "the input ends in the middle of a value, at byte 7"),
        ("di1ei2ee", "a dictionary key that is not a string, at byte 1"),
        ("dlei2ee", "a dictionary key that is not a string, at byte 1"),
        ("d1:ae", "a dictionary key without a value, at byte 4"),
        ("d1:ai1e1:ai2ee", "a dictionary key that comes twice, at byte 7"),
        ("ld1:ai1e1:ai2eee", "a dictionary key that comes twice, at byte 8"),
    ];
    for (text, expected) in table {
        let expected = Err(expected.to_string());
        assert_eq!(verdicts(text.as_bytes()), [expected.clone(), expected], "{text}");
    }
}

#[test]
fn what_old_programs_write_is_refused_strictly_and_noted_leniently() {
    let none = Oddities::default();
    let table = [
        (
            "i03e",
            "a number with a leading zero, at byte 0",
            Oddities { loose_number: Some(0), ..none },
        ),
        (
            "i-0e",
            "a number with a leading zero, at byte 0",
            Oddities { loose_number: Some(0), ..none },
        ),
        (
            "li1ei00ee",
            "a number with a leading zero, at byte 4",
            Oddities { loose_number: Some(4), ..none },
        ),
        (
            "01:a",
            "a number with a leading zero, at byte 0",
            Oddities { loose_number: Some(0), ..none },
        ),
        (
            "d1:b0:1:a0:e",
            "dictionary keys out of order, at byte 6",
            Oddities { unsorted_key: Some(6), ..none },
        ),
        ("de\n", "1 bytes after the end, at byte 2", Oddities { trailing: Some(2), ..none }),
        ("i1ei2e", "3 bytes after the end, at byte 3", Oddities { trailing: Some(3), ..none }),
    ];
    for (text, expected, oddities) in table {
        let strict = scan(text.as_bytes(), Strict).expect_err("refused").to_string();
        assert_eq!(strict, expected, "{text}");
        assert_eq!(scan(text.as_bytes(), Lenient).expect("noted").oddities, oddities, "{text}");
    }
}

#[test]
fn duplicates_are_found_among_unsorted_keys() {
    // inner dictionaries have keys of their own, which must not be mistaken for the outer ones
    let table = [
        ("d1:b0:1:a0:1:b0:e", Some(11)),
        ("d1:bd1:b0:1:a0:e1:a0:1:c0:e", None),
        ("d1:b0:1:ad1:b0:1:a0:e1:cd1:z0:1:y0:1:z0:ee", Some(35)),
        ("d1:bd1:q0:e1:a0:1:q0:e", None),
        ("ld1:b0:1:a0:ed1:b0:1:a0:ee", None),
    ];
    for (text, twice) in table {
        let place = scan(text.as_bytes(), Lenient).err().map(|why| why.at);
        assert_eq!(place, twice, "{text}");
    }
}

#[test]
fn depth_is_bounded_and_never_costs_stack() {
    let nested = |depth: usize| [vec![b'l'; depth], vec![b'e'; depth]].concat();
    assert!(scan(&nested(BENCODE_DEPTH_MAX), Strict).is_ok());
    for bytes in [
        nested(BENCODE_DEPTH_MAX + 1),
        vec![b'l'; 100_000],
        b"d1:a".repeat(1_000_000),
        nested(5_000_000),
    ] {
        let why = scan(&bytes, Lenient).expect_err("too deep").to_string();
        assert!(why.starts_with("more than 64 lists and dictionaries nested"), "{why}");
    }
}

#[test]
fn values_are_read_without_copying() {
    let text = b"d4:infod6:lengthi5ee4:listl1:ai2eldeee4:name3:xyze";
    let dict = Dict::parse(text, Strict).expect("canonical");
    let info = dict.get("info").expect("there");
    assert_eq!((info.raw(), info.at()), (&b"d6:lengthi5ee"[..], 7));
    let inner = info.dict().and_then(|info| info.get("length")).expect("there");
    assert_eq!((inner.int(), inner.at()), (Some(5), 16));
    assert_eq!(dict.get("name").and_then(Item::bytes), Some(&b"xyz"[..]));
    assert_eq!(dict.get("nam"), None);
    assert_eq!(dict.get("name").and_then(Item::int), None);
    assert_eq!(dict.get("name").and_then(Item::list), None);
    assert_eq!(dict.get("name").and_then(Item::dict), None);
    let list = dict.get("list").and_then(Item::list).expect("a list");
    let raws: Vec<&[u8]> = list.iter().map(Item::raw).collect();
    assert_eq!(raws, [&b"1:a"[..], b"i2e", b"ldee"]);
    let keys: Vec<&[u8]> = dict.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [&b"info"[..], b"list", b"name"]);
}

#[test]
fn a_root_that_is_no_dictionary_is_refused() {
    for text in ["le", "i1e", "2:de"] {
        let why = Dict::parse(text.as_bytes(), Lenient).expect_err("refused").to_string();
        assert_eq!(why, "not a dictionary, at byte 0", "{text}");
    }
}

#[test]
fn good_fixtures_pass_and_bad_ones_are_refused() {
    for (name, bytes) in fixtures("good") {
        assert_eq!(verdicts(&bytes), [Ok(()), Ok(())], "{name}");
    }
    for (name, bytes) in fixtures("bad") {
        assert!(scan(&bytes, Strict).is_err(), "{name}");
        // Names of the ones that only strict readers refuse begin so.
        assert_eq!(scan(&bytes, Lenient).is_ok(), name.starts_with("odd-"), "{name}");
    }
}

#[test]
fn every_truncation_is_refused_and_no_changed_byte_panics() {
    for (name, bytes) in fixtures("good") {
        for len in 0..bytes.len() {
            assert!(scan(&bytes[..len], Lenient).is_err(), "{name} cut at {len}");
        }
        let mut changed = bytes.clone();
        for at in 0..bytes.len() {
            for value in 0..=255 {
                changed[at] = value;
                if let Ok(scan) = scan(&changed, Lenient) {
                    walk(scan.root);
                }
            }
            changed[at] = bytes[at];
        }
    }
}

/// Visits every value below `root`, so that a reader's mistake would show.
fn walk(root: Item<'_>) {
    let mut waiting = vec![root];
    while let Some(item) = waiting.pop() {
        waiting.extend(item.list().into_iter().flatten());
        waiting.extend(item.dict().into_iter().flatten().map(|(_, value)| value));
    }
}

#[test]
fn the_writer_is_canonical() {
    let mut out = b"before".to_vec();
    let mut writer = Writer::new(&mut out);
    writer.begin_dict().key("").int(i64::MIN).key("a").begin_list();
    writer.uint(7).bytes(b"\xff\0").begin_dict().end().raw(b"i1e").end();
    writer.key(b"b").begin_dict().key("z").bytes("").end().end();
    assert_eq!(out, b"befored0:i-9223372036854775808e1:ali7e2:\xff\0dei1ee1:bd1:z0:ee");
    assert!(scan(&out[6..], Strict).is_ok());
}

#[test]
#[should_panic(expected = "keys out of order")]
#[cfg(debug_assertions)]
fn writing_keys_out_of_order_is_our_own_mistake() {
    Writer::new(&mut Vec::new()).begin_dict().key("b").int(1).key("a");
}

#[test]
#[should_panic(expected = "a value without a key")]
#[cfg(debug_assertions)]
fn writing_a_value_without_a_key_is_our_own_mistake() {
    Writer::new(&mut Vec::new()).begin_dict().int(1);
}

/// A value as a tree, only to make many of them.
#[derive(Clone, Debug)]
enum Tree {
    Int(i64),
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    Dict(std::collections::BTreeMap<Vec<u8>, Tree>),
}

fn trees() -> impl Strategy<Value = Tree> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..12);
    let leaf = prop_oneof![any::<i64>().prop_map(Tree::Int), bytes().prop_map(Tree::Bytes)];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::List),
            prop::collection::btree_map(bytes(), inner, 0..6).prop_map(Tree::Dict),
        ]
    })
}

fn write(tree: &Tree, writer: &mut Writer<'_>) {
    match tree {
        Tree::Int(value) => drop(writer.int(*value)),
        Tree::Bytes(value) => drop(writer.bytes(value)),
        Tree::List(items) => {
            writer.begin_list();
            items.iter().for_each(|item| write(item, writer));
            writer.end();
        }
        Tree::Dict(entries) => {
            writer.begin_dict();
            entries.iter().for_each(|(key, item)| {
                write(item, writer.key(key));
            });
            writer.end();
        }
    }
}

fn same(tree: &Tree, item: Item<'_>) -> bool {
    match tree {
        Tree::Int(value) => item.int() == Some(*value),
        Tree::Bytes(value) => item.bytes() == Some(value),
        Tree::List(items) => {
            let read: Vec<_> = item.list().into_iter().flatten().collect();
            read.len() == items.len() && items.iter().zip(read).all(|(tree, item)| same(tree, item))
        }
        Tree::Dict(entries) => {
            let read: Vec<_> = item.dict().into_iter().flatten().collect();
            read.len() == entries.len()
                && entries
                    .iter()
                    .zip(read)
                    .all(|((key, tree), (name, item))| key == name && same(tree, item))
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(tree in trees()) {
        let mut out = Vec::new();
        write(&tree, &mut Writer::new(&mut out));
        let scan = scan(&out, Strict).expect("canonical");
        prop_assert!(same(&tree, scan.root));
        prop_assert_eq!(scan.root.raw(), &out[..]);
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(
        prop::sample::select(b"dlie0123456789:-a\xff".to_vec()), 0..60,
    )) {
        if let Ok(scan) = scan(&noise, Lenient) {
            walk(scan.root);
        }
    }
}
