//! Every bound in the program, with its unit and its reason.
//!
//! A peer, a tracker, a file or a person can ask for anything; what they get is bounded here.
//! Grouped by the room that obeys the bound. Numbers that other clients use are named, so that a
//! reader can judge ours; sources are the BEPs and the clients' own constants.

use super::time::Span;

// ── Torrent files (format) ──────────────────────────────────────────────────────────────────

/// Largest .torrent that we read. libtorrent's default too; the largest honest one in a field
/// survey of 6,498 had 4.2 MB.
pub const TORRENT_FILE_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Deepest nesting of lists and dictionaries. A torrent needs five; libtorrent allows 100.
pub const BENCODE_DEPTH_MAX: usize = 64;

/// Most pieces: libtorrent's number, and what keeps a bitfield within 256 KiB.
pub const PIECES_MAX: u32 = 2 * 1024 * 1024;

/// Largest piece: the most that libtorrent and rtorrent take.
pub const PIECE_BYTES_MAX: u32 = 512 * 1024 * 1024;

/// Most files in one torrent.
pub const FILES_MAX: usize = 1_000_000;

/// Most path components of one file; libtorrent's number.
pub const PATH_DEPTH_MAX: usize = 100;

/// Longest path component, in bytes: what Linux file systems allow.
pub const NAME_BYTES_MAX: usize = 255;

/// Longest path of one file below the download directory, in bytes: what Linux calls allow.
pub const PATH_BYTES_MAX: usize = 4095;

/// Most files that share one name before the torrent is refused: numbering them is quadratic.
pub const DUPLICATE_NAMES_MAX: usize = 500;

/// Trackers kept of one torrent, and the longest URL.
pub const TRACKERS_MAX: usize = 64;
pub const URL_BYTES_MAX: usize = 2048;

/// Longest comment, name or reason from outside that we show, in characters.
pub const TEXT_CHARS_MAX: usize = 1000;

/// Warnings kept about one .torrent; a person reads no more.
pub const WARNINGS_MAX: usize = 20;

/// Longest magnet link that we read.
pub const MAGNET_BYTES_MAX: usize = 64 * 1024;

// ── The peer protocol (wire) ────────────────────────────────────────────────────────────────

/// The unit of every request we send. Every client uses it.
pub const BLOCK_BYTES: u32 = 16 * 1024;

/// Largest request we answer: old clients ask for more than a block, rtorrent serves 128 KiB.
pub const REQUEST_BYTES_MAX: u32 = 128 * 1024;

/// Longest `bitfield` payload while the number of pieces is not known.
pub const BITFIELD_BYTES_MAX: u32 = PIECES_MAX / 8;

/// Longest message of an id that we do not know; it is stepped over, never stored.
pub const UNKNOWN_MESSAGE_BYTES_MAX: u32 = 64 * 1024;

/// Longest payload of an `extended` message. A piece of metadata has 16 KiB, and a hundred peers
/// of peer exchange two; rtorrent drops who sends more.
pub const EXTENDED_BYTES_MAX: u32 = 32 * 1024;

/// Longest metadata that we fetch or believe in. In a field survey of 6,498 torrents the largest
/// honest one had 4.2 MB, and two claimed 2 GB. No more than the largest .torrent, or it could not
/// be read again.
pub const METADATA_BYTES_MAX: u32 = 8 * 1024 * 1024;

/// Metadata goes from peer to peer in pieces of this size (BEP 9) …
pub const METADATA_PIECE_BYTES: u32 = 16 * 1024;
/// … and one peer gets it so many times per connection, at most. It waits in memory until they
/// have read it.
pub const METADATA_SERVED_TIMES_MAX: u32 = 2;

/// Pieces of metadata asked of one peer at a time, and how long it may take to answer. libtorrent:
/// two, and three seconds until another one is asked.
pub const METADATA_ASKED_MAX: usize = 2;
pub const METADATA_TIMEOUT: Span = Span::from_secs(10);

/// Who has no metadata, does not answer, or had a part in wrong metadata is asked no more for so
/// long; times the number of wrongs.
pub const METADATA_REST: Span = Span::from_secs(30);

/// Words of one peer that are kept until the metadata is here and they mean something: its
/// bitfield, most of all. Who says more is let go, and may come again.
pub const HELD_BYTES_MAX: usize = 256 * 1024;
pub const HELD_WORDS_MAX: usize = 4096;

/// Peers that are asked for metadata at once: any one of them will do.
pub const PROSPECT_PEERS_MAX: usize = 20;

/// Peers of each address family in one message of peer exchange (BEP 11: 50).
pub const PEX_PEERS_MAX: usize = 50;

/// A peer is told who is there this often at most (BEP 11), and for the first time so soon after
/// its hello …
pub const PEX_EVERY: Span = Span::from_secs(60);
pub const PEX_FIRST: Span = Span::from_secs(5);
/// … and what it tells sooner than this after its last word is not heard; after so many such words
/// it is sent away.
pub const PEX_HEARD_APART: Span = Span::from_secs(45);
pub const PEX_FLOOD_MAX: u8 = 6;

/// Seeds that we parted with and still tell of (BEP 11: 25), and for how long.
pub const PEX_LATELY_MAX: usize = 25;
pub const PEX_LATELY: Span = Span::from_secs(600);

/// Longest name of a program (`v`) that we keep, in characters.
pub const CLIENT_CHARS_MAX: usize = 60;

/// Control messages that may wait for one peer to read them: its bitfield, all its requests and
/// some ten thousand `have`s. Who lets more pile up does not read.
pub const WORDS_QUEUED_BYTES_MAX: usize = 512 * 1024;

// ── Peers (peer, torrent) ───────────────────────────────────────────────────────────────────

/// Connections of the whole node, and of one torrent. The leaders say 200 and 50.
pub const CONNECTIONS_MAX: usize = 200;
pub const CONNECTIONS_PER_TORRENT_MAX: usize = 60;

/// Connections that are being opened at once, and opened per second, for the whole node.
pub const DIALS_AT_ONCE_MAX: usize = 16;
pub const DIALS_PER_SECOND_MAX: u32 = 10;

/// Addresses remembered for one torrent. libtorrent keeps 3,000, its small preset 500.
pub const CANDIDATES_MAX: usize = 1_000;

/// Whoever has a place keeps it for so long, whatever the priority of those who come. In a crowd
/// where everybody calls everybody, places would else change hands all the time: 300 peers that
/// came at once took 1.51 times the least time, and not 1.41.
pub const YIELDS_AFTER: Span = Span::from_secs(60);

/// An address is dialled again after this long, times one more than its failures; and after so
/// many failures no more, unless somebody names it again. libtorrent: the same.
pub const REDIAL_AFTER: Span = Span::from_secs(60);
pub const DIAL_FAILURES_MAX: u32 = 3;

/// Addresses that a torrent refuses to deal with; beyond this the oldest bans are forgotten.
pub const BANS_MAX: usize = 1_000;

/// TCP connect, and the handshake after it. libtorrent: 15 s and 10 s.
pub const CONNECT_TIMEOUT: Span = Span::from_secs(15);
pub const HANDSHAKE_TIMEOUT: Span = Span::from_secs(10);

/// Two peers that call each other within this time keep one call by a rule; after it, the first.
/// Several round trips, for the handshakes of both calls are under way at once.
pub const CALLS_CROSS_MAX: Span = Span::from_secs(3);

/// We say something at least this often (BEP 3: "generally once every two minutes"; others hang
/// up after exactly 120 s, so we stay clear of it) …
pub const KEEP_ALIVE_EVERY: Span = Span::from_secs(90);
/// … and hang up on who was silent this long.
pub const SILENCE_MAX: Span = Span::from_secs(150);

/// A peer that takes nothing of what we queued for it for this long is gone.
pub const SEND_STALL_MAX: Span = Span::from_secs(60);

/// Two peers that want nothing of each other part after this long, if places are scarce.
pub const MUTUAL_DISINTEREST_MAX: Span = Span::from_secs(600);

/// Blocks asked of one peer at a time: at least (a round trip's worth on any link) and at most
/// (libtorrent and Transmission stop at 500).
pub const REQUESTS_IN_FLIGHT_MIN: u32 = 2;
pub const REQUESTS_IN_FLIGHT_MAX: u32 = 500;

/// A pipeline of so many requests is filled an eighth at a time: a packet that leaves costs as much
/// as some blocks that come. In a shorter one, two MiB a second and less, every block counts.
pub const REQUESTS_TOGETHER_FROM: u32 = 64;

/// A request may stand this long in the queue at the other end; see `peer/pipeline.rs`.
/// libtorrent lets it stand for 3 s.
pub const REQUEST_QUEUE_TIME: Span = Span::from_millis(500);

/// An unchoked peer that sent no block for this long while we asked is *snubbing*. libtorrent: 20.
pub const SNUB_AFTER: Span = Span::from_secs(20);

/// A request that is this old is given up, and its block asked elsewhere; so is a block that is
/// not whole this long after its first byte.
pub const REQUEST_TIMEOUT: Span = Span::from_secs(60);

/// A super-seed shows a peer so many pieces at a time that nobody has from it yet (libtorrent: two,
/// so that there is something to send while the first is passed on); the first so long after it
/// came, and one more to who passes nothing on after so long.
pub const SUPER_SEED_OPEN_MAX: usize = 2;
pub const SUPER_SEED_FIRST: Span = Span::from_secs(1);
pub const SUPER_SEED_PATIENCE: Span = Span::from_secs(180);

/// It is a seed like any other when so many peers have everything.
pub const SUPER_SEED_COPIES: usize = 2;

/// Requests that one peer may have queued with us. We never drop one silently (the asker would
/// wait for ever): one more ends the connection. Twice what the leaders ask for at most.
pub const REQUESTS_QUEUED_MAX: usize = 1024;

/// The number of requests that we tell others to keep within (BEP 10, `reqq`): half of that, for
/// some count loosely.
pub const REQUESTS_QUEUED_TOLD: u32 = REQUESTS_QUEUED_MAX as u32 / 2;

/// Pieces that a choked newcomer may ask for (BEP 6 says 10; libtorrent: 5), and how many times as
/// many the torrent must have: else a choke would mean nothing.
pub const ALLOWED_FAST_PIECES: u32 = 5;
pub const ALLOWED_FAST_SHARE: u32 = 20;

/// Pieces kept of those that one peer allows or suggests; one more pushes out the oldest.
pub const FAST_PIECES_MAX: usize = 16;

/// Who rejected a request without having choked us is asked no more for so long.
pub const REJECT_REST: Span = Span::from_secs(1);

/// Bytes a peer may send that nobody asked for, beyond one per cent of what was useful.
pub const WASTE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Requests that break a rule (out of range, of pieces we lack) before the connection ends.
/// libtorrent: 300.
pub const BAD_REQUESTS_MAX: u32 = 64;

/// Peers served at once (the choker's slots), the optimistic ones among them.
pub const UNCHOKED_MAX: usize = 8;
pub const OPTIMISTIC_MAX: usize = 2;

/// Choking is reconsidered this often (BEP 3: ten seconds) …
pub const CHOKE_ROUND: Span = Span::from_secs(10);
/// … and the optimistic unchoke moves on this often (BEP 3: thirty seconds).
pub const OPTIMISTIC_ROUND: Span = Span::from_secs(30);

/// A seed serves each peer this long before another one's turn comes. libtorrent: a minute. Long
/// enough for TCP to reach its speed and for some pieces to become whole.
pub const SEED_TURN: Span = Span::from_secs(60);

/// End game: at most so many blocks are asked of one peer that others were asked for too, and of
/// at most so many peers each. libtorrent asks for one at a time; a few fill a round trip.
pub const ENDGAME_BLOCKS_MAX: usize = 4;
pub const ENDGAME_COPIES_MAX: u8 = 3;

/// End game: what comes within this time by itself is asked of nobody else. A copy crosses what is
/// on its way: on a fast line it comes a few milliseconds sooner, and twice.
pub const ENDGAME_PATIENCE: Span = Span::from_millis(250);

/// A block that is not whole so long after its first byte is *slow*: in the end game another peer
/// may begin it anew. Below three KiB a second, that is; else one peer that sends a byte now and
/// then could hold up the end for ever.
pub const BLOCK_SLOW: Span = Span::from_secs(5);

/// A slow block is asked of up to so many peers: in a swarm in which six of twenty have next to no
/// line, three of those kept others from the last block for forty seconds.
pub const ENDGAME_SLOW_COPIES_MAX: u8 = 12;

/// What is verified is made safe and recorded this often: what a power cut may cost.
pub const SAVE_EVERY: Span = Span::from_secs(5);

/// A peer to whom it makes no difference hears of our new pieces after this long, of all at once.
pub const HAVE_PATIENCE: Span = Span::from_secs(1);

/// The disk failed: it is tried again after this long, then twice as long, and so on.
pub const DISK_RETRY_MIN: Span = Span::from_secs(10);
pub const DISK_RETRY_MAX: Span = Span::from_secs(300);

/// A check that meets a failing disk is begun anew so many times; then what could not be read
/// counts as missing.
pub const CHECK_REREADS_MAX: u32 = 3;

/// A torrent's farewell (trackers told, state saved) takes at most this long when a person waits …
pub const STOP_PATIENCE: Span = Span::from_secs(4);
/// … and when nobody does: a slow disk may sync for a while.
pub const SYNC_PATIENCE: Span = Span::from_secs(120);

/// Incoming connections that have not said their handshake; the oldest goes when there is one more.
pub const HANDSHAKES_WAITING_MAX: usize = 64;

/// Pieces picked at random before rarest-first begins, to have something to trade soon (BEP 3:
/// "the first few pieces"; libtorrent: 4).
pub const RANDOM_FIRST_PIECES: u32 = 4;

// ── Local discovery (format/notice, engine/local) ──────────────────────────────────────────

/// Longest notice (BEP 14: 1,400 bytes, so that no network has to cut it), and the torrents that
/// one names: that many fit.
pub const NOTICE_BYTES_MAX: usize = 1_400;
pub const NOTICE_HASHES_MAX: usize = 20;

/// Each torrent is told of so often, and between any two notices passes so much (BEP 14).
pub const NOTICE_EVERY: Span = Span::from_secs(300);
pub const NOTICES_APART: Span = Span::from_secs(60);

/// Notices heard in a minute: what a network of hundreds of hosts says. The rest is a flood.
pub const NOTICES_HEARD_MAX: u32 = 600;

/// How often it is looked which torrents run and were not told of.
pub const LOCAL_LOOK_EVERY: Span = Span::from_secs(10);

// ── Announces, our side (torrent/announcer, format) ─────────────────────────────────────────

/// Peers we ask a tracker for.
pub const NUMWANT: u32 = 80;

/// A tracker's interval is believed within these bounds; without one, the default.
pub const ANNOUNCE_INTERVAL_MIN: Span = Span::from_secs(300);
pub const ANNOUNCE_INTERVAL_MAX: Span = Span::from_secs(86_400);
pub const ANNOUNCE_INTERVAL_DEFAULT: Span = Span::from_secs(1_800);

/// Who needs peers may ask again before the interval is over, when the tracker's `min interval`
/// has passed. Without one, after the first of these; never sooner than the second.
pub const ANNOUNCE_AGAIN_DEFAULT: Span = Span::from_secs(300);
pub const ANNOUNCE_AGAIN_MIN: Span = Span::from_secs(60);

/// A person may have trackers asked out of turn, but none more often than this.
pub const ANNOUNCE_BY_HAND_APART: Span = Span::from_secs(10);

/// Peers that are so few that we ask the trackers for more.
pub const PEERS_FEW: usize = 5;

/// The n-th failure in a row of a tracker is followed by a wait of this much …
pub const ANNOUNCE_RETRY_BASE: Span = Span::from_millis(5_000);
/// … and n² times this …
pub const ANNOUNCE_RETRY_STEP: Span = Span::from_millis(12_500);
/// … but at most this. libtorrent: the same three numbers.
pub const ANNOUNCE_RETRY_MAX: Span = Span::from_secs(3_600);

/// How long one announce may take in all; the farewell (`stopped`) gets less, because the person
/// is waiting to leave.
pub const ANNOUNCE_TIMEOUT: Span = Span::from_secs(30);
pub const FAREWELL_TIMEOUT: Span = Span::from_secs(3);

/// Questions to trackers over UDP at once; addresses of one tracker tried in turn, when the time
/// is shared among them; and trackers whose last connection id is remembered.
pub const ASKED_AT_ONCE_MAX: usize = 512;
pub const ASKED_ADDRS_MAX: usize = 4;
pub const CONNECTIONS_KNOWN_MAX: usize = 32;

/// Requests to a web seed under way at once.
pub const WEB_GETS_AT_ONCE_MAX: usize = 2;
/// Blocks that a web seed is asked for at once: a mebibyte, so that a request is worth its head.
pub const WEB_REQUESTS_MIN: u32 = 64;
/// Web seeds of a torrent that are asked at once, and all that a torrent may name.
pub const WEBS_AT_ONCE_MAX: usize = 4;
pub const WEBS_MAX: usize = 64;
/// One that cannot be reached rests, twice as long each time; one that answers that it has not what
/// we want (404) rests for long.
pub const WEB_REST_MIN: Span = Span::from_secs(15);
pub const WEB_REST_MAX: Span = Span::from_secs(3600);
pub const WEB_REST_REFUSED: Span = Span::from_secs(1800);

/// Largest tracker answer (libtorrent: 1 MiB), longest response head, most redirects.
pub const ANNOUNCE_REPLY_BYTES_MAX: usize = 1024 * 1024;
pub const RESPONSE_HEAD_BYTES_MAX: usize = 64 * 1024;
pub const REDIRECTS_MAX: u32 = 5;

/// Longest line between the chunks of an answer, and most peers taken from one answer: libtorrent
/// asks for 200, and a tracker that sends more than it was asked for wants to be believed alone.
pub const CHUNK_LINE_BYTES_MAX: usize = 1024;
pub const REPLY_PEERS_MAX: usize = 200;

/// Longest `tracker id` that we keep and send back: it becomes a part of each request.
pub const TRACKER_ID_BYTES_MAX: usize = 256;

/// Longest `failure reason` that we repeat to a person, in characters.
pub const REASON_CHARS_MAX: usize = 200;

// ── The tracker we serve (tracker, world/http_io) ───────────────────────────────────────────

/// Longest request head (line and headers together) and body.
pub const REQUEST_HEAD_BYTES_MAX: usize = 16 * 1024;
pub const REQUEST_LINE_BYTES_MAX: usize = 8 * 1024;
pub const REQUEST_BODY_BYTES_MAX: usize = 64 * 1024;

/// Most headers of one request; browsers send some twenty.
pub const REQUEST_HEADERS_MAX: usize = 100;

/// Torrents in one scrape over UDP: "up to about 74" fit into a packet (BEP 15).
pub const DATAGRAM_SCRAPE_HASHES_MAX: usize = 74;

/// Bytes of one answer over UDP: what no network has to cut (IPv6: 1,280 with its heads).
pub const DATAGRAM_ANSWER_BYTES_MAX: usize = 1_232;

/// Torrents in one scrape over HTTP: more fit no URL.
pub const SCRAPE_HASHES_MAX: usize = 100;

/// Peers that lie in one table; more are spread over many, so that nobody waits for a large one to
/// grow or to be swept: half a millisecond.
pub const HALL_TABLE_PEERS_MAX: usize = 16 * 1024;

/// Peers in one answer, whatever a policy allows, and torrents in one full scrape: 20 KiB in the
/// long form, and a mebibyte.
pub const ANSWER_PEERS_MAX: usize = 500;
pub const FULL_SCRAPE_TORRENTS_MAX: usize = 12_000;

/// Torrents and peers that a tracker keeps unless it is told otherwise: some 20 MiB each.
pub const SERVED_TORRENTS_MAX: usize = 100_000;
pub const SERVED_PEERS_MAX: usize = 1_000_000;

/// Torrents in a library, and the longest .torrent: 1 MiB holds the hashes of 50,000 pieces. By
/// heart a torrent costs a kilobyte.
pub const LIBRARY_TORRENTS_MAX: usize = 10_000;
pub const PUBLISHED_BYTES_MAX: usize = 1024 * 1024;

/// What each address may publish within an hour, and addresses that may within the same one.
pub const PUBLISHED_PER_HOUR_MAX: u32 = 200;
pub const PUBLISHERS_MAX: usize = 10_000;

/// Bytes of a torrent's names that a search looks at, bytes of a query, and words in it.
pub const SEARCH_TEXT_BYTES_MAX: usize = 512;
pub const SEARCH_QUERY_BYTES_MAX: usize = 200;
pub const SEARCH_WORDS_MAX: usize = 8;

/// Torrents in one answer to a list or a search, unless fewer are asked for; and at most.
pub const LISTED_DEFAULT: usize = 100;
pub const LISTED_MAX: usize = 500;

/// Peers in one answer that shows swarms, and bytes of have-maps in one that shows pieces.
pub const SHOWN_PEERS_MAX: usize = 1_000;
pub const SHOWN_HAVE_BYTES_MAX: usize = 128 * 1024;

/// Peers of one torrent that may tell which pieces they hold, bytes for all of them, and the
/// longest have-map in an announce: in hexadecimal digits it must fit a request line.
pub const HOLDERS_PER_TORRENT_MAX: usize = 200;
pub const HOLDERS_BYTES_MAX: usize = 8 * 1024 * 1024;
pub const HAVE_BYTES_MAX: usize = 2 * 1024;

/// A census is taken this long after the first change. But memory cards wear, so two are so far
/// apart, and farther if they would write more than so many bytes a second. (A million peers make
/// 8 MiB: every ten minutes.)
pub const CENSUS_AFTER: Span = Span::from_secs(5);
pub const CENSUS_APART: Span = Span::from_secs(60);
pub const CENSUS_BYTES_PER_SECOND: u64 = 16 * 1024;

/// After a failure it is tried again so much later.
pub const CENSUS_RETRY: Span = Span::from_secs(60);

/// Slots of peers written in one turn, or one whole swarm: below a millisecond.
pub const CENSUS_SLOTS_PER_TURN: usize = 64 * 1024;

/// Longest census that is read: some thirty million peers.
pub const CENSUS_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Blocked torrents that a list may name.
pub const BLOCKED_MAX: usize = 1_000_000;

// ── Remote control (rpc) ────────────────────────────────────────────────────────────────────

/// Longest body of a request that passed the gate: the largest torrent in base64, and room.
pub const RPC_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Connections of remote controls at once, where no tracker is served beside them.
pub const RPC_CONNECTIONS_MAX: usize = 64;

/// Values in one request: an id or a file each. As values they take some ten MiB.
pub const RPC_VALUES_MAX: usize = 200_000;

/// Wrong passwords of one host that cost nothing; then each doubles the wait, up to so long; and
/// how many such hosts are remembered.
pub const RPC_GUESSES_FREE: u32 = 5;
pub const RPC_GUESS_WAIT_MAX: Span = Span::from_secs(300);
pub const RPC_GUESSERS_MAX: usize = 64;

/// Totals are written this often at most, if they changed: flash wears out.
pub const RPC_SAVE_EVERY: Span = Span::from_secs(300);

/// Peers that one request may have us dial; a person types a few.
pub const RPC_PEERS_ADDED_MAX: usize = 64;

// ── The DHT (format/krpc, dht) ──────────────────────────────────────────────────────────────

/// Longest datagram that we look at: what fits an Ethernet frame. And deepest nesting in it.
pub const DHT_DATAGRAM_BYTES_MAX: usize = 1500;
pub const DHT_DEPTH_MAX: usize = 8;

/// Longest datagram that we send (BEP 32: 1,024).
pub const DHT_ANSWER_BYTES_MAX: usize = 1024;

/// Longest transaction id that we echo, and longest token that we keep. Two and eight are usual.
pub const DHT_TRANSACTION_BYTES_MAX: usize = 32;
pub const DHT_TOKEN_BYTES_MAX: usize = 64;

/// Nodes and peers believed of one answer: those who follow the rules send 8 and fewer than 150.
pub const DHT_ANSWER_NODES_MAX: usize = 32;
pub const DHT_ANSWER_PEERS_MAX: usize = 150;

/// Nodes in a bucket (BEP 5: eight), and who would like to take the place of one that fails.
pub const DHT_BUCKET_NODES: usize = 8;
pub const DHT_SPARES: usize = 4;

/// How long a node is good after we heard of it, and a bucket fresh (BEP 5: 15 minutes).
pub const DHT_GOOD_FOR: Span = Span::from_secs(15 * 60);

/// Questions in a row that a bad node left unanswered (BEP 5: "try once more") …
pub const DHT_FAILURES_BAD: u8 = 2;
/// … and after which it is forgotten even if nobody takes its place.
pub const DHT_FAILURES_MAX: u8 = 5;

/// How long an answer may take (aria2 and rqbit: 10 s), and after which time a look-up asks one
/// more node meanwhile (libtorrent: 1 s).
pub const DHT_QUERY_TIMEOUT: Span = Span::from_secs(8);
pub const DHT_QUERY_SLOW: Span = Span::from_secs(1);

/// Questions under way at once: of one look-up (Kademlia's alpha), and of the whole node.
pub const DHT_ALPHA: usize = 4;
pub const DHT_QUERIES_MAX: usize = 128;

/// Look-ups at once, and waiting for their turn.
pub const DHT_LOOKUPS_MAX: usize = 8;
pub const DHT_LOOKUPS_WAITING_MAX: usize = 64;

/// Nodes that one look-up keeps in mind, the nearest ones, and questions that it may ask.
pub const DHT_LOOKUP_NODES_MAX: usize = 64;
pub const DHT_LOOKUP_QUERIES_MAX: u32 = 120;

/// A token holds for this long, and as long again (BEP 5: five and ten minutes).
pub const DHT_TOKEN_FRESH: Span = Span::from_secs(5 * 60);

/// What we keep for others: torrents (libtorrent: 2,000), peers of each (500) and in all, how
/// many of one host under one torrent, and how long each is believed. Peers tell us every
/// quarter of an hour or half hour. At 48 bytes each, the whole store stays below a mebibyte.
pub const DHT_STORED_TORRENTS_MAX: usize = 1_000;
pub const DHT_STORED_PER_TORRENT_MAX: usize = 100;
pub const DHT_STORED_PEERS_MAX: usize = 10_000;
pub const DHT_STORED_PER_HOST_MAX: usize = 3;
pub const DHT_STORED_FOR: Span = Span::from_secs(40 * 60);

/// Torrents that we look up and announce time and again, and how often; sooner if it found none.
pub const DHT_FOLLOWED_MAX: usize = 1_000;
pub const DHT_ANNOUNCE_EVERY: Span = Span::from_secs(15 * 60);
pub const DHT_ANNOUNCE_AGAIN: Span = Span::from_secs(60);

/// How often it is compared which torrents run and which are looked up.
pub const DHT_LOOK_EVERY: Span = Span::from_secs(10);

/// How often what the node knows is written down, beside when it stops.
pub const DHT_SAVE_EVERY: Span = Span::from_secs(20 * 60);

/// What one host may say within ten seconds, and how long it is not heard if it says more.
/// libtorrent: the same. And how many hosts are watched at once.
pub const DHT_SOURCE_MESSAGES_MAX: u32 = 50;
pub const DHT_SOURCE_WINDOW: Span = Span::from_secs(10);
pub const DHT_SOURCE_SILENCE: Span = Span::from_secs(5 * 60);
pub const DHT_SOURCES_WATCHED_MAX: usize = 128;

/// Bytes per second that go out as answers to strangers, and how much may go out at once.
/// libtorrent: 8 kB a second for everything.
pub const DHT_ANSWER_BYTES_PER_SECOND: u64 = 16 * 1024;
pub const DHT_ANSWER_BURST_BYTES: u64 = 64 * 1024;

/// Addresses where a person or a torrent says that a node is, and how often they are tried while
/// we know nobody; twice as long each time, up to the second.
pub const DHT_ENTRANCES_MAX: usize = 32;
pub const DHT_ENTER_AGAIN_MIN: Span = Span::from_secs(5);
pub const DHT_ENTER_AGAIN_MAX: Span = Span::from_secs(300);

/// Nodes remembered between two runs, and the longest such record.
pub const DHT_SAVED_NODES_MAX: usize = 200;
pub const DHT_RECORD_BYTES_MAX: usize = 64 * 1024;

// ── The world (world) ───────────────────────────────────────────────────────────────────────

/// The one receive buffer and the one send buffer, for everyone. Large calls are cheap calls:
/// receiving costs a third at 256 KiB of what it costs at 16 KiB.
pub const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;
pub const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// Files held open at once, for the whole node.
pub const OPEN_FILES_MAX: usize = 40;

/// Slices that leave in one write. The kernel takes 1024 (`IOV_MAX`); a full receive buffer holds
/// about sixteen blocks.
pub const WRITE_SLICES_MAX: usize = 256;

/// How often a watched directory is looked at, files in it that are known, and torrents that are
/// taken on at one look.
pub const WATCH_DIR_EVERY: Span = Span::from_secs(2);
pub const WATCH_FILES_MAX: usize = 10_000;
pub const WATCH_ADDED_PER_LOOK: usize = 16;

/// Hooks that run at once, and that wait for that; and how often those that run are looked at.
pub const HOOKS_AT_ONCE_MAX: usize = 4;
pub const HOOKS_QUEUED_MAX: usize = 256;
pub const HOOK_LOOK_EVERY: Span = Span::from_secs(1);

/// How often a node that may not use more than so much memory looks how much it uses; the least
/// that can be asked for; and the part of it that requests to us may hold together.
pub const WEIGH_EVERY: Span = Span::from_secs(3);
pub const MEMORY_BYTES_MIN: u64 = 8 * 1024 * 1024;
pub const MEMORY_SHARE_OF_HTTP: u64 = 4;

/// Largest resume record that we read: a million files at some fifty bytes each.
pub const RESUME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Names being looked up and answers remembered, for how long, and addresses kept of one name.
/// The system's resolver does not tell how long an answer holds; a failure may end any moment.
pub const NAMES_QUEUED_MAX: usize = 32;
pub const NAMES_CACHED_MAX: usize = 64;
pub const NAME_FRESH: Span = Span::from_secs(300);
pub const NAME_FAILED_FRESH: Span = Span::from_secs(15);
pub const NAME_ADDRS_MAX: usize = 16;

/// Nodes of the DHT that a torrent may name, and peers that a link may name by the names of their
/// hosts; how many of all these wait to be looked up, and addresses used of each.
pub const TORRENT_NODES_MAX: usize = 16;
pub const LINK_NAMES_MAX: usize = 8;
pub const NAMED_WAITING_MAX: usize = 64;
pub const NAMED_ADDRS_MAX: usize = 4;

/// Longest host name: the DNS's own bound.
pub const HOST_BYTES_MAX: usize = 253;

/// Two signals closer together than this are one wish: `timeout` signals us and our group.
pub const SIGNALS_APART_MIN: Span = Span::from_millis(500);

/// Bytes of existing files checked in one turn: about three milliseconds' hashing.
pub const CHECK_BYTES_PER_TURN: u32 = 4 * 1024 * 1024;

/// The last handle of a deleted file of so many bytes is closed on a thread of its own: the system
/// then gives its space back, in 100 ms for 512 MiB in its cache. And so many of them at once.
pub const CLOSED_ASIDE_BYTES_MIN: u64 = 8 * 1024 * 1024;
pub const CLOSING_MAX: usize = 16;

/// Files of a removed torrent that are deleted in one turn.
pub const ERASE_FILES_PER_TURN: usize = 64;

/// Bytes received from all peers together in one turn. Hashing and writing that much takes some
/// five milliseconds: what an announce that comes in meanwhile has to wait.
pub const RECEIVE_BYTES_PER_TURN: usize = 4 * 1024 * 1024;

/// Connections accepted in one turn, of each listener. A flood of them must not hold up the rest.
pub const ACCEPTS_PER_TURN: usize = 64;

/// Callers who may wait to be accepted. Whoever finds no place there is not refused but kept waiting for
/// a second or three, and the 128 that are usual are gone within a turn of 20 ms if 10,000 call each
/// second. The system cuts it to what it allows (`net.core.somaxconn`).
pub const CALLERS_WAITING_MAX: i32 = 1024;

/// Datagrams received from one socket in one turn: a millisecond or two of the tracker's answers.
pub const DATAGRAMS_PER_TURN: usize = 256;

/// Of these, received by a tracker's socket with one call, and answered with another.
pub const DATAGRAMS_PER_CALL: usize = 32;

/// Bytes of a question to a tracker that are looked at; no client's are more than 1,500.
pub const QUESTION_BYTES_MAX: usize = 2 * 1024;

/// What a socket for datagrams may hold that we have not read yet; the system may allow less.
pub const UDP_BUFFER_BYTES: usize = 1024 * 1024;

/// How long a listener rests after the system refused to accept (descriptors, memory): without a
/// rest, the same refusal would come back at once and for ever.
pub const ACCEPT_REST: Span = Span::from_secs(1);

/// Segments of one link that leave in one call. Two slices each; Linux takes 1,024.
pub const SEND_SEGMENTS_MAX: usize = 32;

/// HTTP connections open to us at once; one more closes the one that waited longest. A silent one
/// takes 400 bytes.
pub const HTTP_CONNECTIONS_MAX: usize = 10_000;

/// What an HTTP connection may take for its next step: to say a whole request, to take the whole
/// answer, to come back for more. Announces are one packet; ten seconds serve a modem.
pub const HTTP_LIFETIME: Span = Span::from_secs(10);

/// Bytes of a large body or answer that count as a step: below 6 KiB a second nobody is served.
pub const HTTP_STEP_BYTES: usize = 64 * 1024;

/// Bytes received from one HTTP connection at a time. A request is some 400.
pub const HTTP_RECEIVE_BYTES: usize = 16 * 1024;

/// Bytes of answers that wait for one HTTP connection before its further requests do.
pub const HTTP_OUTBOX_BYTES_MAX: usize = 64 * 1024;

/// Bytes that all HTTP connections together may hold of requests and answers that are under way;
/// beyond it those go that waited longest.
pub const HTTP_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Requests that wait for the tracker's files; one more is told to come back.
pub const ERRANDS_MAX: usize = 16;

/// Bytes read and thrown away after a refusal, so that the refusal itself arrives: closing with
/// unread bytes would reset the connection.
pub const HTTP_LINGER_BYTES_MAX: usize = 256 * 1024;

/// How long a command waits for a connection to a tracker, and for its whole answer.
pub const ASK_CONNECT_TIMEOUT: Span = Span::from_secs(10);
pub const ASK_TIMEOUT: Span = Span::from_secs(60);

/// Longest answer that a command reads: the longest .torrent, or five hundred torrents listed.
pub const ASK_REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The same of a daemon: the holders of two million pieces and what a hundred peers have of them.
pub const REMOTE_REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long `shutdown` waits for a daemon to be gone, and the shell for one to be there.
pub const DAEMON_WAIT_MAX: Span = Span::from_secs(10);

/// The interface that we keep to is looked after this often.
pub const INTERFACE_LOOK_EVERY: Span = Span::from_secs(5);

/// Longest line of a trace: a bitfield of `BITFIELD_BYTES_MAX` in hexadecimal digits and blanks, or
/// a resume record.
pub const TRACE_LINE_BYTES_MAX: usize = 2 * RESUME_BYTES_MAX + 4096;

/// A trace is written when so much of it waits, and at the end of each turn.
pub const TRACE_BUFFER_BYTES: usize = 256 * 1024;

/// Rungs of all ladders of one trace together: half a gigabyte of memory at most.
pub const LADDER_STEPS_MAX: usize = 1_000_000;

/// Longest file of options that is read.
pub const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// How often `status --watch` looks.
pub const WATCH_EVERY: Span = Span::from_secs(1);

/// Calls to trackers under way at once, and waiting for their turn.
pub const CALLS_AT_ONCE_MAX: usize = 16;
pub const CALLS_QUEUED_MAX: usize = 4_096;

/// Addresses of one tracker that are tried in turn.
pub const CALL_ADDRS_MAX: usize = 8;

// Relations that other code relies on.
const _: () = assert!(REQUEST_BYTES_MAX >= BLOCK_BYTES);
const _: () = assert!((METADATA_BYTES_MAX as usize) < TORRENT_FILE_BYTES_MAX);
const _: () = assert!(EXTENDED_BYTES_MAX > BLOCK_BYTES + 128);
const _: () = assert!(SEND_BUFFER_BYTES >= REQUEST_BYTES_MAX as usize);
const _: () = assert!(WORDS_QUEUED_BYTES_MAX > BITFIELD_BYTES_MAX as usize + 68 + 5);
const _: () = assert!(RECEIVE_BUFFER_BYTES >= BLOCK_BYTES as usize);
const _: () = assert!(KEEP_ALIVE_EVERY.as_millis() < 120_000);
const _: () = assert!(STOP_PATIENCE.as_millis() < 5_000);
const _: () = assert!(OPTIMISTIC_MAX < UNCHOKED_MAX);
