//! JSON as records: what is read, what is usual, what is refused and how that is said.

use swarmlet::base::Set;
use swarmlet::format::json::{self, Fields, Record, names_of};

/// A field of each kind.
#[derive(Debug, PartialEq)]
struct Thing {
    id: u64,
    port: u16,
    change: i8,
    ratio: f64,
    is_good: bool,
    name: String,
    piece: Option<i64>,
    rate: u32,
    pair: [u64; 2],
    places: Set<u32>,
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq)]
struct Part {
    name: String,
}

impl Record for Thing {
    fn read(fields: &mut Fields<'_>) -> Thing {
        Thing {
            id: fields.need("id"),
            port: fields.get("port"),
            change: fields.get("change"),
            ratio: fields.get("ratio"),
            is_good: fields.get("isGood"),
            name: fields.clean("name"),
            piece: fields.get("piece"),
            rate: fields.get_or("rate", 100),
            pair: fields.get("pair"),
            places: fields.get("places"),
            parts: fields.get("parts"),
        }
    }
}

impl Record for Part {
    fn read(fields: &mut Fields<'_>) -> Part {
        Part { name: fields.need("name") }
    }
}

fn thing() -> Thing {
    Thing {
        id: 7,
        port: 0,
        change: 0,
        ratio: 0.0,
        is_good: false,
        name: String::new(),
        piece: None,
        rate: 100,
        pair: [0, 0],
        places: Set::new(),
        parts: Vec::new(),
    }
}

#[test]
fn what_is_missing_is_usual_and_what_is_unknown_is_left() {
    let part = |name: &str| Part { name: name.to_owned() };
    #[rustfmt::skip]
    let table = [
        (r#"{"id":7}"#,                              thing()),
        (r#"{"id":7,"more":[{"id":"x"}]}"#,          thing()),
        (r#"{"id":18446744073709551615}"#,           Thing { id: u64::MAX, ..thing() }),
        (r#"{"id":7,"port":65535}"#,                 Thing { port: 65_535, ..thing() }),
        (r#"{"id":7,"change":-128}"#,                Thing { change: -128, ..thing() }),
        (r#"{"id":7,"ratio":2}"#,                    Thing { ratio: 2.0, ..thing() }),
        (r#"{"id":7,"isGood":true}"#,                Thing { is_good: true, ..thing() }),
        (r#"{"id":7,"name":"a\u001b[2Jb"}"#,         Thing { name: "a[2Jb".to_owned(), ..thing() }),
        (r#"{"id":7,"piece":null}"#,                 thing()),
        (r#"{"id":7,"piece":-1}"#,                   Thing { piece: Some(-1), ..thing() }),
        (r#"{"id":7,"rate":0}"#,                     Thing { rate: 0, ..thing() }),
        (r#"{"id":7,"pair":[1,2]}"#,                 Thing { pair: [1, 2], ..thing() }),
        (r#"{"id":7,"places":[3,1,3]}"#,             Thing { places: [1, 3].into_iter().collect(), ..thing() }),
        (r#"{"id":7,"parts":[{"name":"a"},{"name":""}]}"#, Thing { parts: vec![part("a"), part("")], ..thing() }),
    ];
    for (text, wanted) in table {
        assert_eq!(json::read::<Thing>(text.as_bytes()), Ok(wanted), "{text}");
    }
}

#[test]
fn what_is_refused_names_the_field() {
    const NUMBER: &str = "no whole number, or one that is out of range";
    #[rustfmt::skip]
    let table = [
        ("{}",                                  "id: missing".to_owned()),
        ("[7]",                                 "no object".to_owned()),
        ("null",                                "no object".to_owned()),
        (r#"{"id":"7"}"#,                       format!("id: {NUMBER}")),
        (r#"{"id":-1}"#,                        format!("id: {NUMBER}")),
        (r#"{"id":7.0}"#,                       format!("id: {NUMBER}")),
        (r#"{"id":null}"#,                      format!("id: {NUMBER}")),
        (r#"{"id":7,"port":65536}"#,            format!("port: {NUMBER}")),
        (r#"{"id":7,"change":-129}"#,           format!("change: {NUMBER}")),
        (r#"{"id":7,"ratio":"2"}"#,             "ratio: no number".to_owned()),
        (r#"{"id":7,"isGood":1}"#,              "isGood: neither true nor false".to_owned()),
        (r#"{"id":7,"name":7}"#,                "name: no text".to_owned()),
        (r#"{"id":7,"piece":"x"}"#,             format!("piece: {NUMBER}")),
        (r#"{"id":7,"pair":[1]}"#,              "pair: not a list of 2".to_owned()),
        (r#"{"id":7,"pair":[1,2,3]}"#,          "pair: not a list of 2".to_owned()),
        (r#"{"id":7,"places":{}}"#,             "places: no list".to_owned()),
        (r#"{"id":7,"parts":[7]}"#,             "parts: no object".to_owned()),
        (r#"{"id":7,"parts":[{"name":"a"},{}]}"#, "parts: name: missing".to_owned()),
        // The first of several.
        (r#"{"id":"x","port":"y"}"#,            format!("id: {NUMBER}")),
        (r#"{"id":7,"id":7}"#,                  "not JSON: a key that comes twice at line 1 column 15".to_owned()),
    ];
    for (text, wanted) in table {
        assert_eq!(json::read::<Thing>(text.as_bytes()), Err(wanted), "{text}");
    }
}

#[test]
fn a_record_tells_the_names_of_its_fields_and_not_those_of_its_parts() {
    let names = ["id", "port", "change", "ratio", "isGood", "name", "piece", "rate", "pair"];
    assert_eq!(names_of::<Thing>(), [&names[..], &["places", "parts"]].concat());
    assert_eq!(names_of::<Part>(), ["name"]);
}
