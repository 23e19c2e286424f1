//! `swarmlet trace`: a recorded trace, laid out as ladders.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::files::{cannot, shown};
use super::{Arguments, Command, Failure, Screen};
use crate::base::limits::TRACE_LINE_BYTES_MAX;
use crate::trace::{Choice, Damaged, HEAD, Ladder, Line};

const USAGE: &str = "\
show what was said with each peer

usage: swarmlet trace [options] FILE

FILE is what --trace of get, share or peer wrote. For each connection there is a ladder: on the
left what we said, on the right what they said, downwards in time, and between the rungs why we did
it. What comes in bulk (64 requests, 64 blocks) is one rung. Each tracker has a ladder, too.

options:
  --peer ADDR         only with whom is there, HOST or HOST:PORT, or a connection (c5.0)
  --torrent NAME      only about this torrent: a part of its name, its info-hash or the beginning
                      of it, or its number in the trace
  --all               every word on a rung of its own
  -h, --help          this text

FILE itself is text, a line for each thing that happened, to be searched with grep. It grows by
about two bytes for each hundred that are transferred.

examples:
  swarmlet get --trace dialogue music.torrent
  swarmlet trace dialogue
  swarmlet trace --peer 192.0.2.7 --all dialogue
";

pub const COMMAND: Command = Command {
    name: "trace",
    summary: "show what was said with each peer, as a ladder",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let path = arguments.only_path("FILE")?;
    let (peer, torrent) = (arguments.text("peer")?, arguments.text("torrent")?);
    let ladder = read(&path, Choice { peer, torrent, all: arguments.has("all") })?;
    let lines = ladder.lines(screen.width());
    if lines.is_empty() {
        let hint = "without --peer and --torrent all of it is shown, if anybody was there";
        return Err(Failure::new(format!("{} tells of nobody like that", shown(&path)), hint));
    }
    lines.iter().for_each(|line| screen.line(line));
    Ok(())
}

/// Reads a trace, a line at a time: it may be larger than memory.
fn read(path: &Path, choice: Choice) -> Result<Ladder, Failure> {
    let open = File::open(path).map_err(|error| cannot("read", path, &error))?;
    let mut file = BufReader::new(open);
    let (mut ladder, mut has_lines) = (Ladder::new(choice), false);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let most = TRACE_LINE_BYTES_MAX as u64 + 2;
        let read = file.by_ref().take(most).read_until(b'\n', &mut bytes);
        if read.map_err(|error| cannot("read", path, &error))? == 0 {
            break;
        }
        let text = std::str::from_utf8(&bytes).map(str::trim_end);
        if number == 1 && text != Ok(HEAD) {
            return Err(no_trace(path));
        }
        if !bytes.ends_with(b"\n") && bytes.len() <= TRACE_LINE_BYTES_MAX {
            // Whoever wrote it was killed in the middle of its last line, or is at it now.
            break;
        }
        let text = text.map_err(|_| Damaged { line: number, what: "this is no text" });
        let line = text.and_then(|text| Line::parse(number, text));
        has_lines |= matches!(line, Ok(Some(_)));
        let added = line.and_then(|line| line.map_or(Ok(()), |line| ladder.add(&line)));
        added.map_err(|damaged| is_damaged(path, &damaged))?;
    }
    if has_lines { Ok(ladder) } else { Err(no_trace(path)) }
}

fn no_trace(path: &Path) -> Failure {
    let hint = "'swarmlet get --trace FILE …' writes one";
    Failure::new(format!("{} is not a trace, or an empty one", shown(path)), hint)
}

fn is_damaged(path: &Path, damaged: &Damaged) -> Failure {
    let message = format!("{}, line {}: {}", shown(path), damaged.line, damaged.what);
    Failure::new(message, "was it changed by hand? What is above that line can be shown")
}
