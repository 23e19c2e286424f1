//! The requests of `fixtures/http`, as bytes and expectations.

use std::path::Path;

/// One file: its name, the words of its first line, and the bytes of the request.
pub struct Fixture {
    pub name: String,
    pub verdict: Vec<String>,
    pub bytes: Vec<u8>,
}

/// All of them, by name.
pub fn all() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/http");
    let mut fixtures: Vec<Fixture> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| read(&path))
        .collect();
    fixtures.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(fixtures.len() > 40, "only {} requests found", fixtures.len());
    fixtures
}

fn read(path: &Path) -> Fixture {
    let name = path.file_stem().expect("a .txt has a stem").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).expect("it can be read");
    let (first, request) = text.split_once('\n').expect("a first line");
    let words = first.split('#').next().unwrap_or_default();
    let verdict = words.split_whitespace().map(str::to_owned).collect();
    Fixture { name, verdict, bytes: unescape(request) }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(first) = rest.next() {
        match first {
            '\n' => bytes.extend(b"\r\n"),
            '\\' => bytes.push(match rest.next() {
                Some('r') => b'\r',
                Some('n') => b'\n',
                Some('0') => 0,
                Some('x') => {
                    let digits: String = rest.by_ref().take(2).collect();
                    u8::from_str_radix(&digits, 16).expect("two digits after \\x")
                }
                other => panic!("nothing known as \\{other:?}"),
            }),
            plain => bytes.push(u8::try_from(plain).expect("ASCII")),
        }
    }
    bytes
}
