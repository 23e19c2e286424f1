//! INI files: what people write, what they write wrong, and which line it is.

use swarmlet::format::ini::{Entry, Wrong, parse, quoted};

/// Section, key, value and line of an entry.
type Read<'t> = (&'t str, &'t str, &'t str, usize);

fn read(text: &str) -> Result<Vec<Read<'_>>, Wrong> {
    let entries = parse(text)?.into_iter();
    Ok(entries.map(|Entry { section, key, value, line, .. }| (section, key, value, line)).collect())
}

#[test]
fn what_people_write_is_read() {
    #[rustfmt::skip]
    let table: &[(&str, &[Read<'_>])] = &[
        ("",                                 &[]),
        ("\n# only\n; comments\n  \t\n[peer]\n", &[]),
        ("[peer]\nup = 500K",                &[("peer", "up", "500K", 2)]),
        ("[peer]\r\nup=500K\r\n",            &[("peer", "up", "500K", 2)]),
        ("\u{feff}[peer]\nup =500K\n",       &[("peer", "up", "500K", 2)]),
        ("  [ peer ]  # here\n\t up\t=\t500K\t# and here", &[("peer", "up", "500K", 2)]),
        ("[peer] ; x\nrpc-host = a = b",     &[("peer", "rpc-host", "a = b", 2)]),
        ("[a]\nx = 1\n[b]\nx = 2\n[a]\nx = 3", &[("a", "x", "1", 2), ("b", "x", "2", 4), ("a", "x", "3", 6)]),
        ("[a]\nx = 1\nx = 1",                &[("a", "x", "1", 2), ("a", "x", "1", 3)]),
        ("[a]\nu = http://h/#part # why",    &[("a", "u", "http://h/#part", 2)]),
        ("[a]\nu = x;y ; not a comment",     &[("a", "u", "x;y ; not a comment", 2)]),
        ("[a]\nu = \" x # y \" # why",       &[("a", "u", " x # y ", 2)]),
        ("[a]\nu = \"\"",                    &[("a", "u", "", 2)]),
        ("[a]\nu = a \"b\"",                 &[("a", "u", "a \"b\"", 2)]),
        ("[a]\nname = größe 曲",              &[("a", "name", "größe 曲", 2)]),
    ];
    for (text, expected) in table {
        assert_eq!(read(text).as_deref(), Ok(*expected), "{text:?}");
    }
    assert_eq!(parse("\n[a]\nx = 1\n[b]\ny = 2").unwrap()[1].section_line, 4);
}

#[test]
fn the_first_wrong_line_is_named() {
    #[rustfmt::skip]
    let table: &[(&str, usize, &str)] = &[
        ("up = 1",                    1, "a key before the first section"),
        ("\n\n=",                     3, "no name of a key"),
        ("[a]\nup",                   2, "neither [section] nor key = value"),
        ("[a]\nu p = 1",              2, "no name of a key"),
        ("[a]\n--up = 1\n\u{fc} = 1", 3, "no name of a key"),
        ("[a]\nup =",                 2, "no value"),
        ("[a]\nup =  # later",        2, "no value"),
        ("[a]\nup = \"x",             2, "a quote is not closed"),
        ("[a]\nup = \"x\" y",         2, "something behind the end"),
        ("[a",                        1, "a section without its ']'"),
        ("[a] b",                     1, "something behind the end"),
        ("[]",                        1, "no name of a section"),
        ("[a b]",                     1, "no name of a section"),
        ("[a]\nup = \x1b[2J",         2, "a control character"),
        ("[a]\n# \x07",               2, "a control character"),
        ("[a]\nup = 1\rdown = 2",     2, "a control character"),
    ];
    for (text, line, what) in table {
        let wrong = read(text).expect_err(text);
        assert_eq!(wrong.line, *line, "{text:?}: {wrong}");
        assert!(wrong.what.starts_with(what), "{text:?}: {wrong}");
    }
    assert_eq!(read("x").unwrap_err().to_string(), "line 1: neither [section] nor key = value");
}

#[test]
fn what_is_quoted_comes_back_and_no_cut_text_panics() {
    for value in ["x", "a b", " a ", "a #b", "#", "", "a\"b", "\u{fc}", "a#b", "=", "[x]"] {
        let text = format!("[s]\nk = {}", quoted(value).unwrap());
        assert_eq!(read(&text), Ok(vec![("s", "k", value, 2)]), "{value:?}");
    }
    for value in ["\"", " \"", "a\nb", "\x1b", "a #\""] {
        assert_eq!(quoted(value), None, "{value:?}");
    }
    let text = "[peer] # größe\nroot = \"/a # b\" ; x\nup\t=5\n";
    for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
        let _ = parse(&text[..end]);
    }
}
