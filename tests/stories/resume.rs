//! Restarts: after a good-bye, after a crash, after somebody touched the files.

use swarmlet::base::Span;
use swarmlet::engine::DiskFault;
use swarmlet::lab::disk::Loss;
use swarmlet::lab::{Action, DiskChange, Failure, Lab, Line, NodeId, SourceId};

use crate::over_seeds;

const FILE: SourceId = SourceId(0);
const SEED: NodeId = NodeId(0);
const PEER: NodeId = NodeId(1);

/// A seed that needs ten seconds for the file, and a peer that knows it.
fn pair(seed: u64) -> Lab {
    let mut lab = Lab::new(seed);
    let file = lab.source("file", 32 * 1024, &[600_000, 0, 400_000]);
    let seed = lab.seed("seed", file);
    let peer = lab.peer("peer", file);
    lab.knows(peer, file, seed);
    lab.net.set_line(seed, Line { up: Some(100_000), down: None });
    lab
}

fn requests(lab: &Lab) -> usize {
    lab.record().count("peer", "says", "request")
}

fn reads(lab: &Lab) -> usize {
    lab.record().count("peer", "reads", "Check")
}

fn finish(lab: &mut Lab) -> Result<(), Failure> {
    lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(300))?;
    lab.verify()
}

#[test]
fn a_crash_in_the_middle_loses_little_and_trusts_only_what_it_may() {
    for loss in [Loss::All, Loss::Some] {
        over_seeds("a_crash_in_the_middle_loses_little_and_trusts_only_what_it_may", |seed| {
            let mut lab = pair(seed);
            lab.at(Span::from_secs(7), Action::Crash(PEER, loss));
            lab.at(Span::from_secs(9), Action::Start(PEER));
            finish(&mut lab)?;
            // Sixty blocks make the file; what was got in seven seconds may be lost in part.
            assert!(requests(&lab) < 62 + 50, "{} requests", requests(&lab));
            Ok(())
        });
    }
}

#[test]
fn crashes_again_and_again_still_come_to_an_end() {
    over_seeds("crashes_again_and_again_still_come_to_an_end", |seed| {
        let mut lab = pair(seed);
        for count in 0..5 {
            let at = Span::from_millis(6_000 * count + 5_100);
            lab.at(at, Action::Crash(PEER, Loss::Some));
            lab.at(at + Span::from_millis(200), Action::Start(PEER));
        }
        finish(&mut lab)
    });
}

#[test]
fn a_good_bye_loses_nothing_and_nothing_is_checked_again() {
    over_seeds("a_good_bye_loses_nothing_and_nothing_is_checked_again", |seed| {
        let mut lab = pair(seed);
        lab.at(Span::from_secs(6), Action::Leave(PEER));
        lab.run_until(
            |lab| lab.node_named(PEER).engine().is_none() && lab.now().as_micros() > 1,
            Span::from_secs(15),
        )
        .or_else(|failure| {
            if lab.node_named(PEER).engine().is_none() { Ok(()) } else { Err(failure) }
        })?;
        let have = lab.node_named(PEER).disk.resume(lab.source_named(FILE).info_hash());
        let have = have.map(|resume| (resume.have.count(), resume.clean));
        assert!(matches!(have, Some((5.., true))), "{have:?}");
        let (asked, read) = (requests(&lab), reads(&lab));
        lab.at(Span::from_secs(1), Action::Start(PEER));
        finish(&mut lab)?;
        assert_eq!(reads(&lab), read, "nothing is read again");
        let (count, _) = have.unwrap_or_default();
        let left = 62 - 2 * count as usize;
        assert!(requests(&lab) - asked <= left + 1, "only what was missing is asked");
        Ok(())
    });
}

#[test]
fn a_whole_file_that_nobody_vouches_for_is_checked_and_then_shared() {
    over_seeds("a_whole_file_that_nobody_vouches_for_is_checked_and_then_shared", |seed| {
        let mut lab = pair(seed);
        lab.must_check(SEED, FILE);
        finish(&mut lab)?;
        assert!(lab.record().count("seed", "reads", "Check") > 0);
        Ok(())
    });
}

#[test]
fn a_rotten_bit_in_a_file_that_is_checked_costs_one_piece() {
    over_seeds("a_rotten_bit_in_a_file_that_is_checked_costs_one_piece", |seed| {
        let mut lab = Lab::new(seed);
        let file = lab.source("file", 32 * 1024, &[1_000_000]);
        let good = lab.seed("seed", file);
        let rotten = lab.seed("peer", file);
        lab.must_check(rotten, file);
        lab.knows(rotten, file, good);
        lab.change_disk(rotten, DiskChange::Flip { source: file, file: 0, offset: 500_000 });
        lab.run_until(|lab| lab.has(rotten, file), Span::from_secs(60))?;
        assert_eq!(requests(&lab), 2, "one piece of two blocks");
        lab.verify()
    });
}

/// Nobody else has the file: what a check counts as missing is gone for good.
#[test]
fn a_disk_that_fails_for_a_moment_while_the_last_copy_is_checked_costs_time_and_no_data() {
    for n in 1..=8 {
        let mut lab = pair(n);
        lab.must_check(SEED, FILE);
        lab.change_disk(SEED, DiskChange::FailJob(n, DiskFault::Failed));
        finish(&mut lab).unwrap_or_else(|failure| panic!("job {n}: {failure}"));
        assert_eq!(lab.record().count("seed", "says", "request"), 0, "job {n}");
    }
}

#[test]
fn a_file_that_was_lost_between_two_runs_is_fetched_again() {
    over_seeds("a_file_that_was_lost_between_two_runs_is_fetched_again", |seed| {
        let mut lab = pair(seed);
        lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(60))?;
        let now = Span::from_millis(1);
        lab.at(now, Action::Leave(PEER));
        lab.at(
            Span::from_secs(20),
            Action::Disk(PEER, DiskChange::Remove { source: FILE, file: 2 }),
        );
        lab.at(Span::from_secs(21), Action::Start(PEER));
        lab.run_for(Span::from_secs(22))?;
        finish(&mut lab)
    });
}

#[test]
fn a_file_that_was_changed_between_two_runs_is_not_shared_as_it_is() {
    over_seeds("a_file_that_was_changed_between_two_runs_is_not_shared_as_it_is", |seed| {
        let mut lab = pair(seed);
        lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(60))?;
        lab.at(Span::from_millis(1), Action::Leave(PEER));
        let change = DiskChange::Overwrite { source: FILE, file: 0, offset: 70_000 };
        lab.at(Span::from_secs(20), Action::Disk(PEER, change));
        lab.at(Span::from_secs(21), Action::Start(PEER));
        lab.run_for(Span::from_secs(22))?;
        finish(&mut lab)
    });
}
