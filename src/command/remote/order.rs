//! Orders: commands that have a daemon do one thing to some torrents.
//!
//! `start`, `stop`, `remove`, `reannounce`, `connect`; and `verify`, which stands in its own file
//! because it also checks data without a daemon. Each is a line of the protocol and tells which
//! torrents it was done to.

use serde_json::{Value, json};

use super::{Remote, tell};
use crate::command::{Arguments, Command, Failure, Screen};

const START: &str = concat!(
    "\
have a daemon go on with torrents

usage: swarmlet start [options] ID...

Starts torrents that were stopped, or tries again at once what failed. Into a pipe or a file it
prints one line for each: started id= name= info_hash=

",
    "{ids}\n",
    "'all' means every torrent.\n\noptions:\n",
    "{json}\n{daemon}\n",
    "\nexample:\n  swarmlet start all\n"
);

const STOP: &str = concat!(
    "\
have a daemon stop torrents

usage: swarmlet stop [options] ID...

They say good-bye to their peers and trackers and rest until they are started again; the daemon
remembers that over a restart. Into a pipe or a file it prints one line for each:
stopped id= name= info_hash=

",
    "{ids}\n",
    "'all' means every torrent.\n\noptions:\n",
    "{json}\n{daemon}\n",
    "\nexample:\n  swarmlet stop 3\n"
);

const REMOVE: &str = concat!(
    "\
have a daemon forget torrents

usage: swarmlet remove [options] ID...

The daemon says good-bye for them and forgets them. What was downloaded stays where it is, but for
those that go --with-data. Into a pipe or a file it prints one line for each:
removed id= name= info_hash=

",
    "{ids}\n",
    "'all' means every torrent.\n\noptions:\n  \
       --with-data             delete the downloaded files, too\n",
    "{json}\n{daemon}\n",
    "\nexamples:\n  swarmlet remove holiday\n  swarmlet remove 3 4 --with-data\n"
);

const REANNOUNCE: &str = concat!(
    "\
have a daemon ask the trackers now

usage: swarmlet reannounce [options] ID...

Asks the trackers for peers without waiting for the next time. Into a pipe or a file it prints one
line for each: reannounced id= name= info_hash=

",
    "{ids}\n",
    "'all' means every torrent.\n\noptions:\n",
    "{json}\n{daemon}\n",
    "\nexample:\n  swarmlet reannounce holiday\n"
);

const CONNECT: &str = concat!(
    "\
have a daemon connect to a peer

usage: swarmlet connect [options] ID HOST:PORT...

Tells the daemon of peers that its trackers do not know; it dials them as it has room. Whether it
worked shows 'swarmlet peers ID'. Into a pipe or a file it prints one line:
connecting id= name= info_hash=

",
    "{ids}\n",
    "\noptions:\n",
    "{json}\n{daemon}\n",
    "\nexample:\n  swarmlet connect holiday 192.0.2.7:6881\n"
);

pub const START_COMMAND: Command = Command {
    name: "start",
    summary: "have a daemon go on with torrents",
    usage: START,
    runs_node: false,
    run: |arguments, screen| order("torrent-start", "started", json!({}), arguments, screen),
};

pub const STOP_COMMAND: Command = Command {
    name: "stop",
    summary: "have a daemon stop torrents",
    usage: STOP,
    runs_node: false,
    run: |arguments, screen| order("torrent-stop", "stopped", json!({}), arguments, screen),
};

pub const REMOVE_COMMAND: Command = Command {
    name: "remove",
    summary: "have a daemon forget torrents, with their data if you like",
    usage: REMOVE,
    runs_node: false,
    run: |arguments, screen| {
        let more = json!({ "delete-local-data": arguments.has("with-data") });
        order("torrent-remove", "removed", more, arguments, screen)
    },
};

pub const REANNOUNCE_COMMAND: Command = Command {
    name: "reannounce",
    summary: "have a daemon ask the trackers now",
    usage: REANNOUNCE,
    runs_node: false,
    run: |arguments, screen| {
        order("torrent-reannounce", "reannounced", json!({}), arguments, screen)
    },
};

pub const CONNECT_COMMAND: Command = Command {
    name: "connect",
    summary: "have a daemon connect to a peer",
    usage: CONNECT,
    runs_node: false,
    run: connect,
};

/// Has `verify` without a directory check the torrents that are named.
pub fn verify(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    order("torrent-verify", "verifying", json!({}), arguments, screen)
}

fn order(
    method: &str,
    done: &str,
    more: Value,
    arguments: &Arguments,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut remote = Remote::of(arguments)?;
    let which = remote.chosen(arguments)?;
    remote.act(method, &which, more)?;
    tell(screen, arguments, done, &which)
}

fn connect(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let words = arguments.words()?;
    let Some((id, places)) = words.split_first().filter(|(_, places)| !places.is_empty()) else {
        return Err(arguments.wrong("takes an ID and HOST:PORT"));
    };
    let mut peers = Vec::new();
    for place in places {
        for addr in arguments.resolve_word(place)? {
            if addr.port() == 0 {
                return Err(arguments.wrong(format!("{place}: no peer has port 0")));
            }
            peers.push(json!(addr.to_string()));
        }
    }
    let mut remote = Remote::of(arguments)?;
    let which = remote.choose(std::slice::from_ref(id))?;
    remote.act("torrent-set", &which, json!({ "peersAdd": peers }))?;
    tell(screen, arguments, "connecting", &which)
}
