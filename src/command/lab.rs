//! `swarmlet lab`: a whole swarm in one process and in virtual time, and its figures.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use super::info::show_json;
use super::{Arguments, Command, Failure, Screen, files, making};
use crate::base::Span;
use crate::format::text;
use crate::lab::congestion::LOSS_OF;
use crate::lab::experiment::{EXPERIMENTS, Experiment, Keep, Played, Setup, find};
use crate::lab::picture;
use crate::lab::record::LEGEND;
use crate::lab::report::{Group, Report, Spread};
use crate::lab::schedule::{Arrive, Leave, Schedule};

const USAGE: &str = "\
play a whole swarm in one process, in virtual time

usage: swarmlet lab [options] [SCENARIO]
       swarmlet lab list

Runs the real engine of every peer and a real tracker on a simulated network with disks in memory,
until every peer has the file, and prints what came of it: when they were done, against the least
time in which it could be done at all (Kumar and Ross 2006), and who gave how much. Everything that
is left to chance comes from --seed: the same command prints the same figures, on any machine.

scenarios ('swarmlet lab list' says what to look at):
  swarm         equal peers, all at once, and a seed (this one, unless you name another)
  flash-crowd   slow, usual and fast peers rush in and leave when they are done
  free-riders   a third of the peers give next to nothing
  last-block    some who seem to have everything fall silent in the middle of a block
  slow-seed     the seed has a quarter of everybody's upload
  super-seed    the same slow seed shows each peer one piece after the other
  partition     half of the peers are cut off for a while
  churn         peers vanish without a farewell and come back later
  trickle       peers come one by one and leave when they are done
  poison        some of those who seem to have everything send spoilt blocks

options:
  --peers N             how many want the file (20)
  --seeds N             how many have it from the beginning (1)
  --size BYTES          of the file; 256K and 64M are understood (16M)
  --piece-length BYTES  a power of two from 16K (chosen: at most 512 pieces for up to 250 peers,
                        fewer for more, for each piece is told to everybody's neighbours)
  --up RATE             upload of each, in bytes per second, such as 128K; or 'none' for as much
                        as there is (1M)
  --down RATE           download of each, the same (4M)
  --delay MS            how long a packet travels between any two, in milliseconds (20)
  --jitter MS           and up to so much longer, by chance (0)
  --loss PERCENT        so many packets are lost on their way, such as 0.5: what was in them comes
                        a round trip or a time-out later, all behind it waits, and its sender
                        slows down, as TCP does (0)
  --arrive HOW          when peers come: at-once, rush:SECONDS (each at some moment of them) or
                        poisson:SECONDS (so long apart on average)
  --leave WHEN          when peers go for good: never, done (when they have the file) or SECONDS
                        (so long after they came, with or without the file)
  --churn SECONDS       each peer stays for so long on average, then vanishes without a farewell;
                        half of that later, on average, it is back with what is on its disk
  --seed N              what chance comes from (1)
  --log FILE            write the record there: one line per event, what each node heard, said,
                        wrote and decided, and why (because …)
  --svg FILE            draw the run there: who had how much when, what was sent, copies of the
                        rarest piece, who gave whom
  --json                the figures as one JSON object, times in microseconds
  -h, --help            this text

examples:
  swarmlet lab
  swarmlet lab free-riders --seeds 3 --svg free-riders.svg
  swarmlet lab swarm --peers 5 --size 1M --log run.log       # then: grep because run.log
  swarmlet lab --arrive poisson:2 --leave done --churn 20 --loss 1
";

pub const COMMAND: Command = Command {
    name: "lab",
    summary: "play a whole swarm in one process, in virtual time",
    usage: USAGE,
    runs_node: false,
    run,
};

/// What a person's machine can play before their patience or memory ends.
const NODES_MAX: u64 = 10_000;
const SIZE_MAX: u64 = 1024 * 1024 * 1024;
const RATE_MAX: u64 = 1 << 40;
const DELAY_MILLIS_MAX: u64 = 10_000;
const SECONDS_MAX: u64 = 100_000;

/// With more than half of the packets lost there is no link, in packets of `LOSS_OF`.
const LOSS_MAX: u32 = LOSS_OF / 2;

/// The first column of the lines below the table.
const LABEL_COLUMNS: usize = 13;

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let name = match arguments.paths().is_empty() {
        true => PathBuf::from(EXPERIMENTS[0].name),
        false => arguments.only_path("SCENARIO")?,
    };
    let name = name.to_string_lossy();
    if name == "list" || name == "help" {
        screen.text(&list());
        return Ok(());
    }
    let experiment = find(&name).ok_or_else(|| {
        let hint = "'swarmlet lab list' lists the scenarios";
        Failure::usage(format!("lab: there is no scenario '{name}'"), hint)
    })?;
    let setup = setup(arguments, screen)?;
    let seed = arguments.number("seed", 0..=u64::MAX)?.unwrap_or(1);
    if setup.is_large() {
        begin_anew_on_large_pages();
    }
    // A file that cannot be written is told of before the run, not after it.
    let log = arguments.path("log").map(Output::open).transpose()?;
    let svg = arguments.path("svg").map(Output::open).transpose()?;
    let keep = Keep { record: log.is_some(), film: svg.is_some() };

    let played = experiment.play(&setup, seed, keep);
    if let Some(log) = log {
        log.write(&[LEGEND, played.lab.record().text()])?;
    }
    must_have_ended(&played, arguments)?;
    let report = Report::of(experiment, &setup, &played);
    if let (Some(svg), Some(drawn)) = (svg, picture::draw(&played, &report)) {
        svg.write(&[&drawn])?;
    }
    match arguments.has("json") {
        true => show_json(screen, &report)?,
        false => screen.text(&table(&report, &setup)),
    }
    Ok(())
}

/// What the memory of this process is made of; read by the C library at the start, and only then.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Runs the same command once more, in this very process, on memory in pages of 2 MiB: half a
/// gigabyte of nodes in pages of 4 KiB is more than the processor has notes of where they lie, and
/// to look that up is a quarter of the time of a thousand peers (27 s against 20 s for 16 MiB).
/// Where it has no effect, or was asked for already, it just goes on.
fn begin_anew_on_large_pages() {
    if std::env::var_os(TUNABLES).is_some() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // Comes back only if it failed, and then it is slower, and no more.
        let _ = Process::new(program)
            .args(std::env::args_os().skip(1))
            .env(TUNABLES, "glibc.malloc.hugetlb=1")
            .exec();
    }
}

// ── What is asked ───────────────────────────────────────────────────────────────────────────

fn setup(arguments: &Arguments, screen: &mut Screen) -> Result<Setup, Failure> {
    let usual = Setup::default();
    let mut setup = usual.clone();
    let count = |option, usual| match arguments.number(option, 1..=NODES_MAX) {
        Ok(count) => Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usual)),
        Err(failure) => Err(failure),
    };
    setup.peers = count("peers", usual.peers)?;
    setup.seeds = count("seeds", usual.seeds)?;
    setup.bytes = arguments.number("size", 1..=SIZE_MAX)?.unwrap_or(usual.bytes);
    setup.piece_bytes = making::piece_length(arguments, screen)?;
    setup.line.up = rate(arguments, "up", usual.line.up)?;
    setup.line.down = rate(arguments, "down", usual.line.down)?;
    if let Some(millis) = arguments.number("delay", 0..=DELAY_MILLIS_MAX)? {
        setup.delay = Span::from_millis(millis);
    }
    if let Some(millis) = arguments.number("jitter", 0..=DELAY_MILLIS_MAX)? {
        setup.jitter = Span::from_millis(millis);
    }
    setup.loss = loss(arguments)?.unwrap_or(usual.loss);
    setup.arrive = arrive(arguments)?;
    setup.leave = leave(arguments)?;
    if let Some(word) = arguments.text("churn")? {
        setup.churn = Some(seconds_of(arguments, "churn", &word)?);
    }
    Ok(setup)
}

fn rate(arguments: &Arguments, option: &str, usual: Option<u64>) -> Result<Option<u64>, Failure> {
    if arguments.text(option)?.is_some_and(|word| word == "none") {
        return Ok(None);
    }
    Ok(arguments.number(option, 1..=RATE_MAX)?.or(usual))
}

/// Lost packets of `LOSS_OF`.
fn loss(arguments: &Arguments) -> Result<Option<u32>, Failure> {
    let Some(word) = arguments.text("loss")? else { return Ok(None) };
    let loss = decimal(&word, 2).ok_or_else(|| {
        arguments.wrong(format!("--loss {word}: not a percentage with up to two places"))
    })?;
    let loss = u32::try_from(loss)
        .ok()
        .filter(|&loss| loss <= LOSS_MAX)
        .ok_or_else(|| arguments.wrong(format!("--loss {word}: more than {}", LOSS_MAX / 100)))?;
    Ok(Some(loss))
}

fn arrive(arguments: &Arguments) -> Result<Option<Arrive>, Failure> {
    let Some(word) = arguments.text("arrive")? else { return Ok(None) };
    Ok(Some(match word.split_once(':') {
        None if word == "at-once" => Arrive::AtOnce,
        Some(("rush", span)) => Arrive::Rush(seconds_of(arguments, "arrive", span)?),
        Some(("poisson", span)) => Arrive::Poisson(seconds_of(arguments, "arrive", span)?),
        _ => {
            let known = "at-once, rush:SECONDS or poisson:SECONDS";
            return Err(arguments.wrong(format!("--arrive {word}: not {known}")));
        }
    }))
}

fn leave(arguments: &Arguments) -> Result<Option<Leave>, Failure> {
    let Some(word) = arguments.text("leave")? else { return Ok(None) };
    Ok(Some(match word.as_str() {
        "never" => Leave::Never,
        "done" => Leave::Done,
        span => Leave::After(seconds_of(arguments, "leave", span)?),
    }))
}

fn seconds_of(arguments: &Arguments, option: &str, word: &str) -> Result<Span, Failure> {
    let all = arguments.text(option)?.unwrap_or_default();
    let millis = decimal(word, 3).filter(|&millis| millis <= SECONDS_MAX * 1000);
    millis.map(Span::from_millis).ok_or_else(|| {
        arguments.wrong(format!("--{option} {all}: not a number of seconds, 0 to {SECONDS_MAX}"))
    })
}

/// `1.5` with two places is 150. `None`: not such a number.
fn decimal(word: &str, places: usize) -> Option<u64> {
    let (whole, part) = word.split_once('.').unwrap_or((word, ""));
    let digits = format!("{whole}{part:0<places$}");
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !whole.is_empty();
    digits.parse().ok().filter(|_| is_number && part.len() <= places)
}

/// A file that the run will be written to.
struct Output {
    path: PathBuf,
    file: File,
}

impl Output {
    fn open(path: PathBuf) -> Result<Output, Failure> {
        match File::create(&path) {
            Ok(file) => Ok(Output { path, file }),
            Err(error) => Err(files::cannot("write", &path, &error)),
        }
    }

    fn write(mut self, texts: &[&str]) -> Result<(), Failure> {
        let path: &Path = &self.path;
        let written = texts.iter().try_for_each(|text| self.file.write_all(text.as_bytes()));
        written.map_err(|error| files::cannot("write", path, &error))
    }
}

/// A run that broke a rule, or did not end, has no figures.
fn must_have_ended(played: &Played, arguments: &Arguments) -> Result<(), Failure> {
    let Err(failure) = &played.verdict else { return Ok(()) };
    let hint = match arguments.has("log") {
        true => "the end of the log shows how it came about",
        false => "the same command with --log FILE shows how it came about",
    };
    let (seed, at) = (failure.seed, failure.at);
    let message = format!("seed {seed}, at {at:?}, {}: {}", failure.who, failure.what);
    Err(Failure::new(message, hint))
}

// ── What is shown ───────────────────────────────────────────────────────────────────────────

fn list() -> String {
    let mut text = String::new();
    for (number, Experiment { name, summary, look, .. }) in EXPERIMENTS.iter().enumerate() {
        let gap = if number == 0 { "" } else { "\n" };
        text.push_str(&format!("{gap}{name}: {summary}\n\n"));
        look.lines().for_each(|line| text.push_str(&format!("    {line}\n")));
    }
    text
}

fn table(report: &Report, setup: &Setup) -> String {
    let mut text = format!(
        "{}: {} and {} share {} ({} pieces of {}), seed {}\n",
        report.scenario,
        counted(report.peers, "peer"),
        counted(report.seeds, "seed"),
        text::size(report.bytes),
        report.pieces,
        text::size(u64::from(report.piece_bytes)),
        report.seed,
    );
    let rate = |rate: Option<u64>| {
        rate.map_or("without a bound".to_owned(), |rate| format!("{}/s", text::size(rate)))
    };
    let (up, down, delay) = (rate(setup.line.up), rate(setup.line.down), setup.delay.as_millis());
    let jitter = match setup.jitter.as_millis() {
        0 => String::new(),
        jitter => format!(" to {}", delay + jitter),
    };
    let loss = match setup.loss {
        0 => String::new(),
        loss => format!(", {} % lost", hundredths(u64::from(loss), 100)),
    };
    let lines = format!("lines: up {up}, down {down}, {delay}{jitter} ms between any two{loss}");
    text.push_str(&format!("{lines}\npeers: {}\n", coming_and_going(&report.schedule)));
    if let Some(step) = setup.step() {
        text.push_str(&format!("time:  in steps of {} ms\n", step.as_millis()));
    }
    text.push('\n');

    text.push_str("                            done so long after it came        gave, in files\n");
    text.push_str(
        "group        nodes  done     first    median      last     least   median     most\n",
    );
    report.groups.iter().for_each(|group| text.push_str(&row(group, report.bytes)));
    text.push('\n');
    lines_below(report).iter().for_each(|(label, value)| {
        text.push_str(&format!("{label:LABEL_COLUMNS$}{value}\n"));
    });
    text
}

fn coming_and_going(schedule: &Schedule) -> String {
    let seconds = |span: Span| {
        let (whole, part) = (span.as_secs(), span.as_millis() % 1000);
        if part == 0 { format!("{whole} s") } else { format!("{whole}.{part:03} s") }
    };
    let arrive = match schedule.arrive {
        Arrive::AtOnce => "come at once".to_owned(),
        Arrive::Rush(span) => format!("come within {}", seconds(span)),
        Arrive::Poisson(span) => format!("come one by one, {} apart", seconds(span)),
    };
    let leave = match schedule.leave {
        Leave::Never => "stay".to_owned(),
        Leave::Done => "leave when they are done".to_owned(),
        Leave::After(span) => format!("leave {} after they came", seconds(span)),
    };
    let churn = schedule.churn.map(|span| format!(", vanish after {} on average", seconds(span)));
    format!("{arrive}, {leave}{}", churn.unwrap_or_default())
}

fn row(group: &Group, file_bytes: u64) -> String {
    let Group { name, nodes, done, done_micros, gave_bytes } = group;
    let count = done.map_or("-".to_owned(), |done| done.to_string());
    let spread = match done_micros {
        Some(done) => three(done, seconds, 10),
        None => format!("{:>10}{:>10}{:>10}", "-", "-", "-"),
    };
    let gave = three(gave_bytes, |bytes| hundredths(bytes, file_bytes), 9);
    format!("{name:12} {nodes:5} {count:>5}{spread} {gave}\n")
}

fn lines_below(report: &Report) -> Vec<(&'static str, String)> {
    let Report { bound, payload_bytes, waste_bytes, .. } = report;
    let least = if bound.micros > 0 { seconds(bound.micros) } else { "none".to_owned() };
    let mut lines = vec![("lower bound", format!("{least}: {}", bound.because))];
    if bound.micros > 0 {
        let last = hundredths(report.last_micros, bound.micros);
        let last = format!("{} after the beginning, {last} bounds", seconds(report.last_micros));
        lines.push(("last peer", last));
    }
    let share = hundredths(waste_bytes.saturating_mul(100), *payload_bytes);
    let (payload, waste) = (text::size(*payload_bytes), text::size(*waste_bytes));
    lines.push(("traffic", format!("{payload} of blocks; {waste} ({share} %) twice or in vain")));
    let Report { unchokes, chokes, pieces_failed, bans, vanished, gave_up, .. } = report;
    lines.push(("choking", format!("{unchokes} times unchoke, {chokes} times choke")));
    let (pieces, bans) = (counted_u64(*pieces_failed, "piece"), counted_u64(*bans, "ban"));
    lines.push(("trouble", format!("{pieces} failed the hash, {bans}")));
    if *vanished > 0 || *gave_up > 0 {
        let gave_up = counted(*gave_up, "peer");
        lines
            .push(("churn", format!("{vanished} times vanished, {gave_up} left without the file")));
    }
    lines
}

fn three(spread: &Spread, shown: impl Fn(u64) -> String, columns: usize) -> String {
    let Spread { least, median, most } = *spread;
    [least, median, most].map(|number| format!("{:>columns$}", shown(number))).concat()
}

/// `12.345 s`.
fn seconds(micros: u64) -> String {
    format!("{}.{:03} s", micros / 1_000_000, micros / 1000 % 1000)
}

/// `a / b` to two places, rounded down.
fn hundredths(a: u64, b: u64) -> String {
    let hundredths = u128::from(a) * 100 / u128::from(b.max(1));
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn counted(count: usize, what: &str) -> String {
    super::progress::counted(count, what)
}

fn counted_u64(count: u64, what: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), what)
}
