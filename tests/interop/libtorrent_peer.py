"""A peer made of libtorrent-rasterbar, as a program that the rows can start and stop.

    libtorrent_peer.py share|get TORRENT|MAGNET FOLDER IP PORT [PEER_IP:PORT]… [dht=IP:PORT] [--limit=N]
    libtorrent_peer.py nodes COUNT IP PORT
    libtorrent_peer.py create FOLDER NAME TARGET TRACKER PIECE_LENGTH v1|hybrid
    libtorrent_peer.py hash TORRENT…

Runs under whatever Python has the binding, so it imports nothing of the other modules. `share`
and `get` print `sharing` and `complete` when it is so, and go on until they are stopped; other
lines are libtorrent's alerts, for the log. With `dht=` they take part in the DHT and enter it by
that node. `nodes` is such a DHT: that many nodes, at ports from the given one on. `hash` prints a line for each torrent: the v1
info-hash, or `refused` and why.
"""

import os
import sys
import time

import libtorrent

ALERT_WAIT_MS = 100
TURN_SECONDS = 0.05
# libtorrent announces when it starts, perhaps before it knows a node, and then every 15 minutes.
DHT_ANNOUNCE_SECONDS = 5


def settings(ip, port):
    alerts = libtorrent.alert.category_t
    return {
        "listen_interfaces": f"{ip}:{port}",
        "outgoing_interfaces": ip.strip("[]"),
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "enable_incoming_utp": False,
        "enable_outgoing_utp": False,
        "allow_multiple_connections_per_ip": True,
        # Plain connections only: 2 is pe_disabled.
        "in_enc_policy": 2,
        "out_enc_policy": 2,
        "alert_mask": alerts.error_notification
        | alerts.status_notification
        | alerts.storage_notification
        | alerts.tracker_notification
        | alerts.peer_notification,
    }


def with_dht(settings):
    """Takes part in the DHT; addresses of one machine are as good as any."""
    return settings | {
        "enable_dht": True,
        "dht_bootstrap_nodes": "",
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "dht_prefer_verified_node_ids": False,
        "dht_ignore_dark_internet": False,
    }


def run_nodes(count, ip, port):
    """Each node enters by the first."""
    ports = range(int(port), int(port) + int(count))
    sessions = [libtorrent.session(with_dht(settings(ip, port))) for port in ports]
    for session in sessions[1:]:
        session.add_dht_node((ip, ports[0]))
    told = False
    while True:
        counts = [session.status().dht_nodes for session in sessions]
        if not told and all(counts):
            told = True
            say(f"nodes {counts}")
        time.sleep(TURN_SECONDS)


def run_peer(mode, torrent, folder, ip, port, peers):
    nodes = [peer.removeprefix("dht=") for peer in peers if peer.startswith("dht=")]
    peers = [peer for peer in peers if not peer.startswith("dht=")]
    chosen = settings(ip, int(port))
    session = libtorrent.session(with_dht(chosen) if nodes else chosen)
    for node in nodes:
        node_ip, node_port = node.rsplit(":", 1)
        session.add_dht_node((node_ip, int(node_port)))
    if torrent.startswith("magnet:"):
        parameters = libtorrent.parse_magnet_uri(torrent)
    else:
        parameters = libtorrent.add_torrent_params()
        parameters.ti = libtorrent.torrent_info(torrent)
    parameters.save_path = folder
    flags = libtorrent.torrent_flags
    parameters.flags &= ~(flags.paused | flags.auto_managed)
    handle = session.add_torrent(parameters)
    limits = [word for word in peers if word.startswith("--limit=")]
    for limit in limits:
        handle.set_download_limit(int(limit.split("=")[1]))
        handle.set_upload_limit(int(limit.split("=")[1]))
    for peer in [word for word in peers if word not in limits]:
        peer_ip, peer_port = peer.rsplit(":", 1)
        handle.connect_peer((peer_ip, int(peer_port)))
    told = False
    announced = time.monotonic()
    while True:
        if nodes and time.monotonic() - announced > DHT_ANNOUNCE_SECONDS:
            announced = time.monotonic()
            handle.force_dht_announce()
        session.wait_for_alert(ALERT_WAIT_MS)
        for alert in session.pop_alerts():
            say(f"{type(alert).__name__}: {alert.message()}")
            # "Finished" comes before the last writes have left the cache.
            if isinstance(alert, libtorrent.torrent_finished_alert) and mode == "get":
                handle.flush_cache()
            if isinstance(alert, libtorrent.cache_flushed_alert) and not told and mode == "get":
                told = handle.status().is_seeding
                say("complete" if told else "flushed")
        if mode == "share" and not told and handle.status().is_seeding:
            told = True
            say("sharing")
        time.sleep(TURN_SECONDS)


def create(folder, name, target, tracker, piece_length, version):
    storage = libtorrent.file_storage()
    libtorrent.add_files(storage, os.path.join(folder, name))
    only_v1 = libtorrent.create_torrent.v1_only
    torrent = libtorrent.create_torrent(
        storage, piece_size=int(piece_length), flags=only_v1 if version == "v1" else 0
    )
    if tracker:
        torrent.add_tracker(tracker)
    libtorrent.set_piece_hashes(torrent, folder)
    with open(target, "wb") as file:
        file.write(libtorrent.bencode(torrent.generate()))


def hashes(torrents):
    for torrent in torrents:
        try:
            print(libtorrent.torrent_info(torrent).info_hashes().v1, flush=True)
        except Exception as error:  # whatever the binding throws, it refused the file
            say(f"refused {error}")


def say(text):
    print(text.replace("\n", " "), flush=True)


def main():
    command, *arguments = sys.argv[1:]
    if command in ("share", "get"):
        torrent, folder, ip, port, *peers = arguments
        run_peer(command, torrent, folder, ip, port, peers)
    elif command == "nodes":
        run_nodes(*arguments)
    elif command == "create":
        create(*arguments)
    elif command == "hash":
        hashes(arguments)
    else:
        sys.exit(f"unknown command {command}")


main()
