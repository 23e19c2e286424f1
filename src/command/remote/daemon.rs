//! Daemon: the options of remote control, and where a daemon remembers.
//!
//! Whoever can speak to remote control can delete files, so it listens on this host alone unless
//! somebody says otherwise; and to say otherwise takes a password, or the word that it shall be
//! open. A password on a command line is there for everybody on the host to read in the list of
//! processes, so there are a file and the environment, too.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::command::{Arguments, Failure, Screen, files};
use crate::rpc::gate::Login;
use crate::world::remote::RemoteOptions;
use crate::world::resume::RECORD_DIR;

/// Where remote controls look first.
const USUAL_ADDR: ([u8; 4], u16) = ([127, 0, 0, 1], 9091);

/// Reads the options. `dir`: where torrents go. `None`: no remote control.
///
/// Failure: an address that others can reach without a password, or options that contradict.
pub fn options(
    arguments: &Arguments,
    dir: &Path,
    screen: &mut Screen,
) -> Result<Option<RemoteOptions>, Failure> {
    let said = arguments.text("rpc")?;
    let login = login(arguments)?;
    let is_off = said.as_deref() == Some("off");
    let listen = match said {
        Some(word) if word == "off" => None,
        Some(_) => arguments.address("rpc")?,
        None => free_usual(screen),
    };
    let Some(listen) = listen else {
        if is_off && login.is_some() {
            return Err(arguments.wrong("--rpc off needs no password"));
        }
        return Ok(None);
    };
    if !listen.ip().is_loopback() && login.is_none() && !arguments.has("rpc-open") {
        return Err(Failure::new(
            format!("--rpc {listen}: others can reach this address, and no password is set"),
            "set one with --rpc-user and --rpc-password-file; or say --rpc-open",
        ));
    }
    files::make_dir(dir)?;
    let dir = std::fs::canonicalize(dir).map_err(|error| files::cannot("use", dir, &error))?;
    let state_dir = match arguments.path("state") {
        Some(state) => std::path::absolute(&state).unwrap_or(state),
        None => dir.join(RECORD_DIR),
    };
    let names = arguments.texts("rpc-host")?;
    let mut roots = vec![dir.clone()];
    for root in arguments.all_paths("root") {
        let real = std::fs::canonicalize(&root);
        roots.push(real.map_err(|error| files::cannot("use", &root, &error))?);
    }
    Ok(Some(RemoteOptions { listen, dir, roots, state_dir, login, names }))
}

/// User and password, of the options or the environment; `None` if there are none.
pub fn login(arguments: &Arguments) -> Result<Option<Login>, Failure> {
    let from_environment = |name| std::env::var(name).ok().filter(|word| !word.is_empty());
    let user = arguments.text("rpc-user")?.or_else(|| from_environment("SWARMLET_RPC_USER"));
    let password = match (arguments.text("rpc-password")?, arguments.path("rpc-password-file")) {
        (Some(_), Some(_)) => return Err(arguments.wrong("two passwords are given")),
        (Some(word), None) => Some(word),
        (None, Some(path)) => Some(first_line(&path)?),
        (None, None) => from_environment("SWARMLET_RPC_PASSWORD"),
    };
    match (user, password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => {
            // A name with a colon could be read in two ways.
            if user.is_empty() || user.contains(':') || password.is_empty() {
                return Err(arguments.wrong("a user's name has no ':', and neither is empty"));
            }
            Ok(Some(Login { user, password }))
        }
        (Some(_), None) => Err(arguments.wrong("--rpc-user needs a password")),
        (None, Some(_)) => Err(arguments.wrong("a password needs --rpc-user")),
    }
}

fn first_line(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| files::cannot("read", path, &error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The usual address, unless another program has it: nobody asked for remote control, so its lack
/// ends nothing.
fn free_usual(screen: &mut Screen) -> Option<SocketAddr> {
    let addr = SocketAddr::from(USUAL_ADDR);
    match TcpListener::bind(addr) {
        Ok(_) => Some(addr),
        Err(_) => {
            screen.warn(&format!(
                "no remote control: {addr} is taken; choose another address with --rpc"
            ));
            None
        }
    }
}
