//! The faults: where, what is good there, what is bad, and who finds it, in which words.

/// One line of the source, done wrong.
pub struct Fault {
    pub name: &'static str,
    /// Below `src/`.
    pub file: &'static str,
    /// Stands there exactly once.
    pub good: &'static str,
    /// What stands there instead; `PLANTED` is true while the fault is awake.
    pub bad: &'static str,
    /// The story that must fail.
    pub story: &'static str,
    /// What is said then, by the judge, an engine that recounts itself, or the story.
    pub says: &'static str,
}

#[rustfmt::skip]
pub const FAULTS: &[Fault] = &[
    // ── Counts ──────────────────────────────────────────────────────────────────────────────
    Fault {
        name: "a have is counted twice",
        file: "torrent/picker.rs",
        good: "self.holders[piece.at()] += 1;",
        bad: "self.holders[piece.at()] += 1 + u16::from(PLANTED);",
        story: "download::ten_peers_share_what_one_seed_gives",
        says: "holders",
    },
    Fault {
        name: "a peer that left is still counted",
        file: "torrent/serve.rs",
        good: "self.pieces.on_gone(conn);\n        self.picker.on_leave(&session.have);",
        bad: "self.pieces.on_gone(conn);\n        if !PLANTED { self.picker.on_leave(&session.have); }",
        story: "faults::connections_that_break_again_and_again_only_cost_time",
        says: "panicked",
    },
    Fault {
        name: "a have is heard and not noted",
        file: "peer/session.rs",
        good: "Ok(News::Has(piece))",
        bad: "if PLANTED { self.have.clear(piece); return Ok(News::Nothing); }\n Ok(News::Has(piece))",
        story: "download::ten_peers_share_what_one_seed_gives",
        says: "believes that they have other pieces than they said",
    },
    Fault {
        name: "a block is marked twice",
        file: "torrent/pieces.rs",
        good: "open.blocks[number as usize].asked = 1;",
        bad: "open.blocks[number as usize].asked = 1 + u8::from(PLANTED);",
        story: "download::a_file_goes_from_a_seed_to_a_peer",
        says: "asked as counted, and as under way",
    },
    Fault {
        name: "bytes are written once and counted twice",
        file: "torrent/pieces.rs",
        good: "open.written += i64::from(len);",
        bad: "open.written += i64::from(len) * (1 + i64::from(PLANTED));",
        story: "download::a_file_goes_from_a_seed_to_a_peer",
        says: "panicked",
    },
    Fault {
        name: "a request that was taken back stays booked",
        file: "torrent/fetch.rs",
        good: "for &block in blocks {\n            self.pieces.release(block);",
        bad: "for &block in blocks {\n            if !PLANTED { self.pieces.release(block); }",
        story: "faults::requests_lost_to_a_choke_are_asked_again",
        says: "asked as counted, and as under way",
    },

    // ── What is taken and never given back ──────────────────────────────────────────────────
    Fault {
        name: "a queued block is never given back",
        file: "peer/session.rs",
        good: "while self.queued.len() > waiting {",
        bad: "while self.queued.len() > waiting && !PLANTED {",
        story: "download::a_file_goes_from_a_seed_to_a_peer",
        says: "believes that other blocks are queued than there are",
    },
    Fault {
        name: "a write is never given back",
        file: "torrent/fetch.rs",
        good: "self.writes_under_way -= 1;",
        bad: "self.writes_under_way -= u32::from(!PLANTED);",
        story: "download::a_file_goes_from_a_seed_to_a_peer",
        says: "writes, ",
    },
    Fault {
        name: "a connect is never given back",
        file: "engine/door.rs",
        good: "self.dials.under_way -= 1;",
        bad: "self.dials.under_way -= usize::from(!PLANTED);",
        story: "download::a_file_goes_from_a_seed_to_a_peer",
        says: "counts 1 connects, 0 are under way",
    },

    // ── Words that are not said, or not heard ───────────────────────────────────────────────
    Fault {
        name: "an unchoke is forgotten",
        file: "torrent/serve.rs",
        good: "out.push(Output::Send { conn, message: Message::Unchoke });",
        bad: "if !PLANTED { out.push(Output::Send { conn, message: Message::Unchoke }); }",
        story: "download::a_file_goes_from_a_seed_to_a_peer",
        says: "chokes or unchokes without a word",
    },
    Fault {
        name: "nobody is ever unchoked",
        file: "torrent/serve.rs",
        good: "let serve = chosen.iter().any(|choice| choice.conn == conn);",
        bad: "let serve = !PLANTED && chosen.iter().any(|choice| choice.conn == conn);",
        story: "download::ten_peers_share_what_one_seed_gives",
        says: "panicked",
    },
    Fault {
        name: "a choke leaves the queue as it is",
        file: "torrent/serve.rs",
        good: "out.push(Output::DropBlocks { conn });",
        bad: "if !PLANTED { out.push(Output::DropBlocks { conn }); }",
        story: "seed::who_loses_its_place_loses_what_waited_for_it",
        says: "blocks queued for a peer that it chokes",
    },
    Fault {
        name: "a have is not told",
        file: "torrent/gains.rs",
        good: "if !session.have.has(piece) {",
        bad: "if !session.have.has(piece) && !PLANTED {",
        story: "download::ten_peers_share_what_one_seed_gives",
        says: "has a piece that it never told of",
    },
    Fault {
        name: "interest outlives its reason",
        file: "torrent/gains.rs",
        good: "self.lose_interest(now, &gained.pieces, out);",
        bad: "if !PLANTED { self.lose_interest(now, &gained.pieces, out); }",
        story: "download::ten_peers_share_what_one_seed_gives",
        says: "wants something and does not say so, or lied",
    },
    Fault {
        name: "a cancel is ignored",
        file: "torrent/serve.rs",
        good: "News::Cancels(block) => out.push(Output::CancelBlock { conn, block }),",
        bad: "News::Cancels(block) => if !PLANTED { out.push(Output::CancelBlock { conn, block }) },",
        story: "seed::what_is_taken_back_while_it_waits_is_not_sent",
        says: "blocks queued where",
    },
    Fault {
        name: "the end game cancels nothing",
        file: "torrent/fetch.rs",
        good: "if conn != winner && session.pipeline.take_back(block) {",
        bad: "if !PLANTED && conn != winner && session.pipeline.take_back(block) {",
        story: "endgame::a_slow_peer_does_not_hold_up_the_end",
        says: "panicked",
    },
    Fault {
        name: "nothing is said for hours",
        file: "torrent/serve.rs",
        good: "if now.since(session.last_said) >= KEEP_ALIVE_EVERY {",
        bad: "if now.since(session.last_said) >= KEEP_ALIVE_EVERY && !PLANTED {",
        story: "seed::who_waits_for_a_seed_keeps_its_connections",
        says: "says nothing for two minutes",
    },

    // ── What must not be done ───────────────────────────────────────────────────────────────
    Fault {
        name: "it asks of who chokes",
        file: "torrent/fetch.rs",
        good: "let chokes = session.them.choking;",
        bad: "let chokes = session.them.choking && !PLANTED;",
        story: "download::a_file_goes_from_a_seed_to_a_peer",
        says: "of a peer that chokes it or lacks the piece",
    },
    Fault {
        name: "it serves whom it chokes",
        file: "peer/session.rs",
        good: "if self.us.choking && !is_granted(self) {",
        bad: "if self.us.choking && !is_granted(self) && !PLANTED {",
        story: "seed::who_asks_while_it_is_choked_gets_nothing",
        says: "to a peer that it chokes",
    },
    Fault {
        name: "a hash is not looked at",
        file: "torrent/fetch.rs",
        good: "if verdict.hash == self.metainfo.piece_hashes[piece.at()] {",
        bad: "if PLANTED || verdict.hash == self.metainfo.piece_hashes[piece.at()] {",
        story: "faults::corrupt_data_is_fetched_again_and_its_sender_banned",
        says: "differs at",
    },
    Fault {
        name: "a ban is forgotten",
        file: "torrent/serve.rs",
        good: "self.candidates.ban(addr);",
        bad: "if !PLANTED { self.candidates.ban(addr); }",
        story: "faults::corrupt_data_is_fetched_again_and_its_sender_banned",
        says: "exactly one is to blame",
    },
    Fault {
        name: "half a block stays in the hash",
        file: "torrent/pieces.rs",
        good: "self.digest = before;",
        bad: "if !PLANTED { self.digest = before; }",
        story: "faults::a_peer_that_vanishes_in_the_middle_of_a_block_is_done_without",
        says: "panicked",
    },

    // ── Disks and records ───────────────────────────────────────────────────────────────────
    Fault {
        name: "a record claims what was never written",
        file: "torrent/life.rs",
        good: "have: self.have.clone(),",
        bad: "have: if PLANTED { Bits::all(self.have.len()) } else { self.have.clone() },",
        story: "resume::a_crash_in_the_middle_loses_little_and_trusts_only_what_it_may",
        says: "records what is not so",
    },
    Fault {
        name: "a piece counts before it is written",
        file: "torrent/pieces.rs",
        good: "&& open.written == i64::from(layout.piece_len(piece)) {",
        bad: "&& (PLANTED || open.written == i64::from(layout.piece_len(piece))) {",
        story: "effects::any_one_effect_may_fail",
        says: "its disk holds other bytes or none",
    },
    Fault {
        name: "a write that failed is shrugged off",
        file: "torrent/fetch.rs",
        good: "self.mind_recovery(out);\n                self.step(now, piece, out);\n            }\n            Err(fault) => self.pause(now, fault, out),",
        bad: "self.mind_recovery(out);\n                self.step(now, piece, out);\n            }\n            Err(fault) => if !PLANTED { self.pause(now, fault, out) },",
        story: "effects::any_one_effect_may_fail",
        says: "it is not over after",
    },
    Fault {
        name: "a record is believed whatever became of the file",
        file: "torrent/checker.rs",
        good: "resume.files[file] == stamps[file])",
        bad: "PLANTED || resume.files[file] == stamps[file])",
        story: "resume::a_file_that_was_changed_between_two_runs_is_not_shared_as_it_is",
        says: "panicked",
    },
    Fault {
        name: "one read that fails makes a piece missing",
        file: "torrent/life.rs",
        good: "&& self.rereads < CHECK_REREADS_MAX",
        bad: "&& !PLANTED && self.rereads < CHECK_REREADS_MAX",
        story: "resume::a_disk_that_fails_for_a_moment_while_the_last_copy_is_checked_costs_time_and_no_data",
        says: "it is not over after",
    },

    // ── Trackers and time ───────────────────────────────────────────────────────────────────
    Fault {
        name: "trackers never hear of a completion",
        file: "torrent/life.rs",
        good: "self.announcer.on_complete(now);",
        bad: "if !PLANTED { self.announcer.on_complete(now); }",
        story: "tracker::a_tracker_is_told_what_there_is_to_tell",
        says: "Completed",
    },
    Fault {
        name: "a deadline is named and not kept",
        file: "torrent/serve.rs",
        good: "if self.soon.fill_all.take_if(|at| *at <= now).is_some() {",
        bad: "if !PLANTED && self.soon.fill_all.take_if(|at| *at <= now).is_some() {",
        story: "faults::requests_lost_to_a_choke_are_asked_again",
        says: "ask others",
    },
];
