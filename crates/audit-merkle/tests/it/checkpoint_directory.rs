//! The directory of checkpoints: shared by processes, killed at any moment, read by everyone.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use audit_core::ErrorKind;
use audit_merkle::{
    CheckpointDirectory, CheckpointSigner, CheckpointStore as _, LeafHash, RootHash,
    SignedCheckpoint, TreeHead,
};
use futures_executor::block_on;
use futures_util::FutureExt as _;

use crate::common::{signed, size};
use crate::liar::LOG;

/// Set for a process that publishes: the directory.
const DIRECTORY: &str = "AUDIT_MERKLE_TEST_DIRECTORY";
/// Any key will do: the directory verifies no signature.
const KEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

/// A checkpoint of `size` events, whatever they are: a directory compares, and verifies nothing.
fn checkpoint(size: u64) -> SignedCheckpoint {
    let signer: CheckpointSigner = KEY.parse().unwrap();
    // That of another process is another.
    let root = LeafHash::of(format!("{} {size}", std::process::id()).as_bytes());
    let root = RootHash::from_bytes(*root.as_bytes());
    signed(&signer, TreeHead { size: self::size(size), root })
}

fn latest(directory: &CheckpointDirectory) -> Option<SignedCheckpoint> {
    block_on(directory.latest(LOG)).unwrap()
}

fn size_of(checkpoint: Option<&SignedCheckpoint>) -> u64 {
    checkpoint.map_or(0, |checkpoint| checkpoint.unverified().size().get())
}

/// Publishes one size after the other, and prints each that it has published.
#[test]
#[ignore = "the other tests run it, each time in a process of its own"]
fn publish_until_killed() {
    let directory = CheckpointDirectory::open(env::var(DIRECTORY).unwrap()).unwrap();
    loop {
        let expected = latest(&directory);
        let size = size_of(expected.as_ref()) + 1;
        match block_on(directory.publish(LOG, expected.as_ref(), &checkpoint(size))) {
            Ok(()) => writeln!(std::io::stderr(), "published {size}").unwrap(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
        }
    }
}

/// A process that publishes. It is killed, as by `kill -9`, when it is dropped.
struct Publisher {
    child: Child,
    sizes: Lines<BufReader<ChildStderr>>,
}

impl Publisher {
    fn start(directory: &Path) -> Self {
        let test = "checkpoint_directory::publish_until_killed";
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env(DIRECTORY, directory)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let sizes = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, sizes }
    }

    /// The next size that the process publishes.
    fn next(&mut self) -> Option<u64> {
        let line = self.sizes.next()?.unwrap();
        Some(line.strip_prefix("published ").unwrap().parse().unwrap())
    }

    /// Kills the process `after` it has published 10 sizes; returns all that it has published.
    fn kill(mut self, after: Duration) -> Vec<u64> {
        let mut sizes: Vec<_> = (0..10).map(|_| self.next().unwrap()).collect();
        std::thread::sleep(after);
        self.child.kill().unwrap();
        sizes.extend(std::iter::from_fn(|| self.next()));
        sizes
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn processes_publish_each_size_once_and_may_be_killed_at_any_moment() {
    let directory = tempfile::tempdir().unwrap();
    let mut published = BTreeSet::new();
    for round in 0..8 {
        let two = [Publisher::start(directory.path()), Publisher::start(directory.path())];
        let after = Duration::from_micros(1_300 * round);
        let sizes = std::thread::scope(|scope| {
            let killed = two.map(|one| scope.spawn(move || one.kill(after)));
            killed.map(|one| one.join().unwrap())
        });
        for size in sizes.into_iter().flatten() {
            assert!(published.insert(size), "two processes have published size {size}");
        }
        // Neither a lock nor half a file is left, and nothing that was published is lost.
        let directory = CheckpointDirectory::open(directory.path()).unwrap();
        let last = size_of(latest(&directory).as_ref());
        // A process can be killed after it published a size, and before it printed it.
        let all = (1..=last).collect::<BTreeSet<_>>();
        assert!(published.is_subset(&all), "{published:?} {last}");
        assert!(all.difference(&published).count() <= 2, "{published:?} {last}");
        published = all;
    }
}

#[cfg(unix)]
#[test]
fn what_is_published_everyone_may_read_as_it_was_signed() {
    use std::os::unix::fs::PermissionsExt as _;
    let path = tempfile::tempdir().unwrap();
    let directory = CheckpointDirectory::open(path.path()).unwrap();
    let checkpoint = &checkpoint(1);
    block_on(directory.publish(LOG, None, checkpoint)).unwrap();
    let file = directory.file(LOG);
    assert_eq!(file, path.path().join("platform.checkpoint"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(fs::read_to_string(&file).unwrap(), checkpoint.to_string());
}

#[test]
fn a_path_that_is_no_directory_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = CheckpointDirectory::open(file.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn other_files_of_the_directory_are_no_checkpoints() {
    let path = tempfile::tempdir().unwrap();
    let directory = CheckpointDirectory::open(path.path()).unwrap();
    for name in ["platform.new", "platform", "notes.checkpoint", "checkpoint", ".checkpoint"] {
        fs::write(path.path().join(name), "").unwrap();
    }
    assert_eq!(block_on(directory.logs()).unwrap(), []);
    assert_eq!(latest(&directory), None);
    block_on(directory.publish(LOG, None, &checkpoint(0))).unwrap();
    assert_eq!(block_on(directory.logs()).unwrap(), [LOG]);
}

/// The thread waits for the disk, so that an executor's thread does not.
#[test]
fn a_publication_is_carried_through_though_its_future_is_dropped() {
    let path = tempfile::tempdir().unwrap();
    let directory = CheckpointDirectory::open(path.path()).unwrap();
    let lock = fs::File::open(path.path().join("notary.lock")).unwrap();
    lock.lock().unwrap();
    let checkpoint = &checkpoint(0);
    let mut publishing = directory.publish(LOG, None, checkpoint);
    // It waits for the lock, which this thread holds: the poll returns all the same.
    assert!((&mut publishing).now_or_never().is_none());
    drop(publishing);
    lock.unlock().unwrap();
    assert_eq!(latest(&directory).as_ref(), Some(checkpoint));
}

#[test]
fn a_lost_checkpoint_is_not_a_first_one() {
    let temporary = tempfile::tempdir().unwrap();
    let open = || CheckpointDirectory::open(temporary.path()).unwrap();
    let first = checkpoint(3);
    block_on(open().publish(LOG, None, &first)).unwrap();
    let file = open().file(LOG);
    fs::remove_file(&file).unwrap();
    let lost = |error: audit_core::Error| {
        // As if it were damaged, so that nothing is signed.
        assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, Some("checkpoint")));
    };
    lost(block_on(open().latest(LOG)).unwrap_err());
    lost(block_on(open().publish(LOG, None, &checkpoint(4))).unwrap_err());
    assert_eq!(block_on(open().logs()).unwrap(), [LOG], "the log is still listed");

    // An older one in its place.
    fs::write(&file, first.to_string()).unwrap();
    block_on(open().publish(LOG, Some(&first), &checkpoint(5))).unwrap();
    fs::write(&file, first.to_string()).unwrap();
    lost(block_on(open().latest(LOG)).unwrap_err());
    lost(block_on(open().publish(LOG, Some(&first), &checkpoint(4))).unwrap_err());
    fs::write(&file, checkpoint(5).to_string()).unwrap();
    assert_eq!(latest(&open()), Some(checkpoint(5)));

    block_on(open().start_over(LOG)).unwrap();
    assert_eq!(latest(&open()), None);
    block_on(open().publish(LOG, None, &checkpoint(4))).unwrap();
    block_on(open().start_over(LOG)).unwrap();
    let old = file.with_extension("checkpoint.old");
    assert_eq!(fs::read_to_string(old).unwrap(), checkpoint(4).to_string());
    assert_eq!(block_on(open().logs()).unwrap(), []);
    block_on(open().start_over(LOG)).unwrap();
}
