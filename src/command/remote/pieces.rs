//! `swarmlet pieces`: a map of the pieces of one torrent.
//!
//! ```text
//!      0  ############################++..111112222222222333333333333333333333333
//!     68  3333333333333333333333444444444444444444444444
//! ```
//! A letter stands for a piece, or, in large torrents, for as many neighbours as it takes to fit
//! the map on a screen; then it tells of the worst of them: the one that the fewest have.

use serde::Serialize;
use serde_json::json;

use super::look::Peer;
use super::{Known, Remote};
use crate::base::{Bits, PieceIndex};
use crate::command::events::Line;
use crate::command::progress::counted;
use crate::command::{Arguments, Command, Failure, Screen, info};
use crate::format::json::{Fields, Record};
use crate::format::{base64, text};

const USAGE: &str = concat!(
    "\
show a map of the pieces of a torrent

usage: swarmlet pieces [options] ID

Shows which pieces are here, which are on their way, and how many of the connected peers have each
of the others. With --piece N it shows who has that one. Into a pipe or a file it prints one line
for each run of equal pieces, or one for each who has piece N:
pieces first= last= state= holders=
holder addr= client= piece=

",
    "{ids}\n",
    "\noptions:\n  \
       -p, --piece N           who has piece N (the first is 0)\n  \
       --holders               show how many have each piece, whether it is here or not\n",
    "{json}\n{daemon}\n",
    "\nexamples:\n  swarmlet pieces holiday\n  swarmlet pieces holiday --piece 17\n"
);

pub const COMMAND: Command = Command {
    name: "pieces",
    summary: "show a map of the pieces of a torrent, and who has which",
    usage: USAGE,
    runs_node: false,
    run,
};

/// The pieces of one torrent, as the daemon tells of them.
#[derive(Clone, Debug)]
struct Said {
    piece_count: u32,
    piece_size: u64,
    /// A letter each: `h` here, `f` in flight, `m` missing. Only daemons of ours tell.
    piece_states: String,
    piece_holders: Vec<u32>,
    /// The bytes of our `bitfield`, in base64.
    pieces: String,
}

impl Record for Said {
    fn read(fields: &mut Fields<'_>) -> Said {
        Said {
            piece_count: fields.get("pieceCount"),
            piece_size: fields.get("pieceSize"),
            piece_states: fields.get("pieceStates"),
            piece_holders: fields.get("pieceHolders"),
            pieces: fields.get("pieces"),
        }
    }
}

/// The peers of one torrent, asked for only if somebody wants to know who has a piece.
#[derive(Clone, Debug)]
struct Company {
    peers: Vec<Peer>,
}

impl Record for Company {
    fn read(fields: &mut Fields<'_>) -> Company {
        Company { peers: fields.get("peers") }
    }
}

/// Where a piece stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Missing,
    Flying,
    Here,
}

/// A piece, and how many connected peers have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct Piece {
    state: State,
    holders: u32,
}

/// Equal neighbours: from the first to the last, both included.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Stretch {
    first: usize,
    last: usize,
    #[serde(flatten)]
    piece: Piece,
}

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let wanted = arguments.text("piece")?;
    let mut remote = Remote::of(arguments)?;
    let known = remote.only(arguments)?;
    let said: Said = remote.one(&known)?;
    let pieces = said.pieces()?;
    if let Some(word) = wanted {
        let number = word.parse().ok().filter(|number| *number < said.piece_count);
        let Some(number) = number else {
            let last = said.piece_count.saturating_sub(1);
            return Err(arguments.wrong(format!("--piece {word}: not from 0 to {last}")));
        };
        let Company { peers } = remote.one(&known)?;
        return show_holders(arguments, screen, number, &pieces, &peers);
    }
    if arguments.has("json") {
        let Known { id, name, info_hash } = &known;
        let shown = json!({
            "id": id, "name": name, "info_hash": info_hash, "pieces": said.piece_count,
            "piece_bytes": said.piece_size, "runs": runs(&pieces),
        });
        return info::show_json(screen, &shown);
    }
    if !screen.is_terminal() {
        runs(&pieces).iter().for_each(|stretch| screen.line(&stretch.plain()));
        return Ok(());
    }
    let title = format!("{}: {}", known.name, summary(&pieces, said.piece_size));
    screen.line(&title);
    let by_holders = arguments.has("holders");
    map(&pieces, screen.width(), by_holders).iter().for_each(|line| screen.line(line));
    Ok(())
}

impl Said {
    /// Failure: the lists contradict the number of pieces.
    fn pieces(&self) -> Result<Vec<Piece>, Failure> {
        let count = usize::try_from(self.piece_count).unwrap_or(usize::MAX);
        let states: Vec<State> = match self.piece_states.is_empty() {
            false => self.piece_states.bytes().map(State::of).collect(),
            true => self.states_of_bits(),
        };
        let holders = match self.piece_holders.is_empty() {
            false => self.piece_holders.clone(),
            true => vec![0; states.len()],
        };
        if states.len() != count || holders.len() != count {
            return Err(Failure::new(
                format!("the daemon tells of {} of {count} pieces", states.len()),
                "is it of another version than this program?",
            ));
        }
        let pairs = states.into_iter().zip(holders);
        Ok(pairs.map(|(state, holders)| Piece { state, holders }).collect())
    }

    /// Where the daemon tells only what it has.
    fn states_of_bits(&self) -> Vec<State> {
        let Some(bits) = bits(&self.pieces, self.piece_count) else { return Vec::new() };
        let state = |piece| match bits.has(PieceIndex::checked(piece)) {
            true => State::Here,
            false => State::Missing,
        };
        (0..self.piece_count).map(state).collect()
    }
}

impl State {
    fn of(letter: u8) -> State {
        match letter {
            b'h' => State::Here,
            b'f' => State::Flying,
            _ => State::Missing,
        }
    }

    fn word(self) -> &'static str {
        match self {
            State::Missing => "missing",
            State::Flying => "flying",
            State::Here => "here",
        }
    }
}

impl Stretch {
    fn plain(&self) -> String {
        Line::new("pieces")
            .with("first", self.first)
            .with("last", self.last)
            .with("state", self.piece.state.word())
            .with("holders", self.piece.holders)
            .into_string()
    }
}

fn show_holders(
    arguments: &Arguments,
    screen: &mut Screen,
    number: u32,
    pieces: &[Piece],
    peers: &[Peer],
) -> Result<(), Failure> {
    let index = PieceIndex::checked(number);
    let count = u32::try_from(pieces.len()).expect("counted in a u32 before");
    let has = |peer: &&Peer| bits(&peer.pieces, count).is_some_and(|bits| bits.has(index));
    let holders: Vec<&Peer> = peers.iter().filter(has).collect();
    let state = pieces[index.at()].state.word();
    if arguments.has("json") {
        let shown: Vec<_> = holders
            .iter()
            .map(|peer| json!({ "addr": peer.addr(), "client": peer.client }))
            .collect();
        let shown = json!({ "piece": number, "state": state, "holders": shown });
        return info::show_json(screen, &shown);
    }
    if screen.is_terminal() {
        let who = counted(holders.len(), "connected peer");
        let have = if holders.len() == 1 { "has" } else { "have" };
        screen.line(&format!("piece {number}: {state}; {who} {have} it"));
    }
    for peer in holders {
        screen.line(&match screen.is_terminal() {
            true => format!("  {:<22}  {}", peer.addr(), peer.client),
            false => Line::new("holder")
                .with("addr", peer.addr())
                .with("client", &peer.client)
                .with("piece", number)
                .into_string(),
        });
    }
    Ok(())
}

/// The have-map that a text stands for; `None` if it is none of so many pieces.
fn bits(text: &str, pieces: u32) -> Option<Bits> {
    Bits::from_wire(&base64::parse(text).ok()?, pieces)
}

fn runs(pieces: &[Piece]) -> Vec<Stretch> {
    let mut runs: Vec<Stretch> = Vec::new();
    for (at, &piece) in pieces.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.piece == piece => run.last = at,
            Some(_) | None => runs.push(Stretch { first: at, last: at, piece }),
        }
    }
    runs
}

fn summary(pieces: &[Piece], piece_bytes: u64) -> String {
    let count = |state: State| pieces.iter().filter(|piece| piece.state == state).count();
    let lost = pieces.iter().filter(|piece| piece.state != State::Here && piece.holders == 0);
    let mut words = format!(
        "{} of {} of {} here",
        count(State::Here),
        counted(pieces.len(), "piece"),
        text::size(piece_bytes)
    );
    if count(State::Flying) > 0 {
        words += &format!(", {} in flight", count(State::Flying));
    }
    match lost.count() {
        0 => {}
        lost => words += &format!(", {lost} that nobody has who is connected"),
    }
    words
}

/// The map, line by line, and below it what its letters mean.
fn map(pieces: &[Piece], width: usize, by_holders: bool) -> Vec<String> {
    let columns = width.saturating_sub(NUMBER_COLUMNS + 3).clamp(10, 100) / 10 * 10;
    let per_letter = pieces.len().div_ceil(columns * ROWS_MAX).max(1);
    let letters: Vec<char> =
        pieces.chunks(per_letter).map(|group| letter_of(group, by_holders)).collect();
    let mut lines: Vec<String> = Vec::new();
    for (row, letters) in letters.chunks(columns).enumerate() {
        let first = row * columns * per_letter;
        let letters: String = letters.iter().collect();
        lines.push(format!("{first:>NUMBER_COLUMNS$}  {letters}"));
    }
    lines.push(String::new());
    lines.push(match by_holders {
        true => ". nobody has it   1-9 so many of those who are connected have it   * more".into(),
        false => {
            "# here   + in flight   missing: . nobody has it, 1-9 so many have it, * more".into()
        }
    });
    if per_letter > 1 {
        lines.push(format!("a letter stands for {per_letter} pieces, for the worst of them"));
    }
    let most = pieces.iter().map(|piece| piece.holders).max().unwrap_or(0);
    let with = |count: u32| pieces.iter().filter(|piece| piece.holders == count).count();
    let held = (0..=most).filter(|count| with(*count) > 0);
    let held: Vec<String> = held.map(|count| format!("{count}: {}", with(count))).collect();
    lines.push(format!("peers that have a piece, and how many such pieces: {}", held.join(", ")));
    lines
}

/// The letter for some neighbours.
fn letter_of(group: &[Piece], by_holders: bool) -> char {
    let lacking = group.iter().filter(|piece| by_holders || piece.state == State::Missing);
    match lacking.map(|piece| piece.holders).min() {
        Some(0) => '.',
        Some(holders @ 1..=9) => char::from_digit(holders, 10).expect("one digit"),
        Some(_) => '*',
        None if group.iter().any(|piece| piece.state == State::Flying) => '+',
        None => '#',
    }
}

/// Columns for the number of the first piece in a row.
const NUMBER_COLUMNS: usize = 7;

/// Rows of the map: with what stands around it, it fits a terminal of 24.
const ROWS_MAX: usize = 16;
