//! `swarmlet create`: makes a .torrent.

use super::making::{self, Made, Wishes};
use super::{Arguments, Command, Failure, Screen, files};

const USAGE: &str = "\
make a .torrent of a file or a directory

usage: swarmlet create [options] PATH

Reads and hashes all of PATH and writes NAME.torrent into the current directory, NAME being the
last part of PATH. An existing file is never replaced without --force. Symbolic links and special
files inside a directory are left out with a warning. Into a pipe or a file it prints one line:
made file= name= info_hash= bytes= pieces= piece_bytes=

options:
  -t, --tracker URL...       announce here; several make tiers, asked in this order
  -w, --web-seed URL...      a web server has it, too: the URL of the file, or of the directory
                             in which the file or directory lies
  -n, --name NAME            what the torrent is called, if not like PATH
  -c, --comment TEXT         what people shall know
  -l, --piece-length BYTES   from 16384 (16 KiB) to 536870912 (512 MiB), a power of two if it
                             is to please every client; 256K and 4M are understood
                             (chosen for the size: 16 KiB to 16 MiB)
  --pad                      let each file begin with a piece of its own: padding between them
                             is counted, hashed and sent, but stored by nobody who knows it
  --private                  peers come from the trackers only
  -o, --output FILE          write here instead of NAME.torrent
  --force                    replace the file if there is one
  --config FILE              options from this file, section [create]; see 'swarmlet help config'
  -h, --help                 this text

examples:
  swarmlet create holiday --tracker http://tracker.example/announce
  swarmlet create -l 1M -c 'with subtitles' -o film.torrent film.mkv
";

pub const COMMAND: Command = Command {
    name: "create",
    summary: "make a .torrent of a file or a directory",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let path = arguments.only_path("PATH")?;
    let wishes = Wishes {
        name: arguments.text("name")?,
        trackers: making::trackers(arguments, screen)?,
        web_seeds: making::web_seeds(arguments)?,
        private: arguments.has("private"),
        comment: arguments.text("comment")?,
        piece_bytes: making::piece_length(arguments, screen)?,
        pad: arguments.has("pad"),
    };
    let replace = arguments.has("force");
    let output = arguments.path("output");
    // Known before an hour of hashing, rather than after it.
    let source = making::survey(screen, &path, &wishes)?;
    let target = output.unwrap_or_else(|| making::file_name(source.name()));
    source.must_not_hold(&target)?;
    files::must_be_free(&target, replace)?;
    let Made { bytes, metainfo, .. } = source.hash(screen)?;
    files::write_torrent(&target, &bytes, replace)?;
    making::tell(screen, "made", &target, &metainfo);
    if screen.is_terminal() {
        screen.line(&format!("  {}", making::dimensions(&metainfo)));
    }
    Ok(())
}
