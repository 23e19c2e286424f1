//! Checker: what may be believed of the files on disk, and what must be read.

use swarmlet::base::limits::BLOCK_BYTES;
use swarmlet::base::{Bits, InfoHash, PieceIndex};
use swarmlet::format::digest::Digest;
use swarmlet::format::layout::{File, Layout};
use swarmlet::format::resume::{FileStamp, Resume};
use swarmlet::torrent::checker::{Checked, Checker, Job};

/// Two files of one and a half pieces each: piece 1 lies in both.
fn layout() -> Layout {
    let len = u64::from(BLOCK_BYTES) * 3;
    let files = vec![File::new(["t", "a"], len), File::new(["t", "b"], len)];
    Layout::new(2 * BLOCK_BYTES, files).expect("a valid layout")
}

fn stamp(len: u64, modified_nanos: i64) -> Option<FileStamp> {
    Some(FileStamp { len, modified_nanos })
}

fn pieces(indices: &[u32]) -> Vec<PieceIndex> {
    indices.iter().map(|&index| PieceIndex::checked(index)).collect()
}

fn resume(have: &[u32], files: Vec<Option<FileStamp>>, clean: bool) -> Resume {
    let mut bits = Bits::none(3);
    pieces(have).into_iter().for_each(|piece| assert!(bits.set(piece)));
    let info_hash = InfoHash([0; 20]);
    Resume { info_hash, have: bits, files, clean, uploaded: 0, downloaded: 0 }
}

/// What is trusted, missing, and to be read.
fn sort(
    stamps: &[Option<FileStamp>],
    resume: Option<&Resume>,
) -> (Vec<PieceIndex>, Vec<PieceIndex>, Vec<PieceIndex>) {
    let layout = layout();
    let mut sorted = Checker::sort(&layout, stamps, resume);
    let mut read = Vec::new();
    while let Some(job) = sorted.checker.next_job(&layout) {
        read.push(job.piece);
    }
    (sorted.trusted.iter().collect(), sorted.missing, read)
}

const LEN: u64 = 3 * BLOCK_BYTES as u64;

#[test]
fn without_files_everything_is_missing_and_nothing_is_read() {
    assert_eq!(sort(&[None, None], None), (vec![], pieces(&[0, 1, 2]), vec![]));
}

#[test]
fn without_a_record_everything_that_is_there_is_read() {
    let stamps = [stamp(LEN, 1), stamp(LEN, 1)];
    assert_eq!(sort(&stamps, None), (vec![], vec![], pieces(&[0, 1, 2])));
    let half = [stamp(LEN, 1), None];
    assert_eq!(sort(&half, None), (vec![], pieces(&[1, 2]), pieces(&[0])));
    let short = [stamp(LEN - 1, 1), stamp(LEN, 1)];
    assert_eq!(sort(&short, None), (vec![], pieces(&[1]), pieces(&[0, 2])));
}

#[test]
fn a_record_is_believed_only_about_files_that_did_not_change() {
    let stamps = vec![stamp(LEN, 1), stamp(LEN, 1)];
    let clean = resume(&[0, 1], stamps.clone(), true);
    assert_eq!(sort(&stamps, Some(&clean)), (pieces(&[0, 1]), pieces(&[2]), vec![]));
    // After a crash, a piece that is not in the record may still be there.
    let crash = resume(&[0, 1], stamps.clone(), false);
    assert_eq!(sort(&stamps, Some(&crash)), (pieces(&[0, 1]), vec![], pieces(&[2])));
    // The second file was touched: whatever lies in it is read.
    let touched = [stamp(LEN, 1), stamp(LEN, 2)];
    assert_eq!(sort(&touched, Some(&clean)), (pieces(&[0]), vec![], pieces(&[1, 2])));
    // A file that is gone is gone, whatever the record says.
    assert_eq!(sort(&[stamp(LEN, 1), None], Some(&clean)), (pieces(&[0]), pieces(&[1, 2]), vec![]));
}

#[test]
fn a_record_of_another_shape_is_no_record() {
    let stamps = vec![stamp(LEN, 1), stamp(LEN, 1)];
    let short = resume(&[0], vec![stamp(LEN, 1)], true);
    assert_eq!(sort(&stamps, Some(&short)), (vec![], vec![], pieces(&[0, 1, 2])));
    let mut many = resume(&[], stamps.clone(), true);
    many.have = Bits::all(4);
    assert_eq!(sort(&stamps, Some(&many)), (vec![], vec![], pieces(&[0, 1, 2])));
}

#[test]
fn each_piece_is_decided_by_its_hash_when_its_last_part_came() {
    let piece_bytes = 40 * BLOCK_BYTES;
    let len = 2 * u64::from(piece_bytes);
    let layout = Layout::single(piece_bytes, "f", len).expect("a valid layout");
    let content: Vec<u8> = (0..2 * piece_bytes as usize).map(|i| (i / 100) as u8).collect();
    let mut checker = Checker::sort(&layout, &[stamp(len, 1)], None).checker;
    let mut jobs = Vec::new();
    while let Some(job) = checker.next_job(&layout) {
        jobs.push(job);
    }
    assert_eq!(jobs.len(), 6, "640 KiB in reads of at most 256 KiB, twice");
    let mut decided = Vec::new();
    for job in jobs {
        let Job { piece, begin, len } = job;
        let from = piece.at() * piece_bytes as usize + begin as usize;
        // The very last part cannot be read.
        let readable = piece.get() == 0 || begin + len < piece_bytes;
        let bytes = readable.then(|| &content[from..from + len as usize]);
        decided.extend(checker.on_read(&layout, job, bytes));
    }
    let first = Digest::of(&content[..piece_bytes as usize]);
    let expected = [
        Checked { piece: PieceIndex::checked(0), hash: Some(first) },
        Checked { piece: PieceIndex::checked(1), hash: None },
    ];
    assert_eq!(decided, expected);
    assert!(checker.is_done());
    assert_eq!(checker.bytes_done(), len);
}
