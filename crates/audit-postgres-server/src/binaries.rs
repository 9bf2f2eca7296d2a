//! The programs of PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::ServerError;

/// The programs that a server needs.
const NEEDED: [&str; 3] = ["initdb", "postgres", "psql"];

/// Where distributions install PostgreSQL. The star is the directory of a version.
const INSTALLED: [&str; 5] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/usr/local/pgsql*/bin",
];

/// Returns the directory of the programs.
pub(crate) fn find(chosen: Option<&Path>) -> Result<PathBuf, ServerError> {
    let candidates = match chosen {
        Some(directory) => vec![directory.to_owned()],
        None => candidates(),
    };
    let has_all = |directory: &&PathBuf| NEEDED.iter().all(|name| directory.join(name).is_file());
    match candidates.iter().find(has_all) {
        Some(directory) => Ok(directory.clone()),
        None => Err(ServerError::NotInstalled { searched: candidates }),
    }
}

/// Returns the directories to look into, the best first.
fn candidates() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // In `PATH` there may be links to some of the programs, and scripts that choose a version.
    let of_path = env::split_paths(&path)
        .filter_map(|directory| fs::canonicalize(directory.join("initdb")).ok())
        .filter_map(|initdb| initdb.parent().map(Path::to_owned));
    let mut candidates: Vec<_> = of_path.collect();
    candidates.extend(bindir());
    for pattern in INSTALLED {
        candidates.extend(matches(pattern));
    }
    candidates
}

/// Asks `pg_config` for the directory.
fn bindir() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = String::from_utf8(output.stdout).ok()?;
    let directory = directory.trim();
    (!directory.is_empty()).then(|| directory.into())
}

/// Returns the directories that match a pattern with one star, the newest version first; the pattern
/// itself if none does, so that an error can name it.
fn matches(pattern: &str) -> Vec<PathBuf> {
    let whole = || vec![PathBuf::from(pattern)];
    let Some((before, after)) = pattern.split_once('*') else { return whole() };
    let Some((parent, prefix)) = before.rsplit_once('/') else { return whole() };
    let names = fs::read_dir(parent).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
    if names.is_empty() {
        return whole();
    }
    names.sort_by_key(|name| std::cmp::Reverse(version(name)));
    names.iter().map(|name| PathBuf::from(format!("{parent}/{name}{after}"))).collect()
}

/// Returns the numbers in a name, which order versions.
fn version(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(directory: &Path, programs: &[&str]) -> PathBuf {
        fs::create_dir_all(directory).unwrap();
        for program in programs {
            fs::write(directory.join(program), "").unwrap();
        }
        directory.to_owned()
    }

    #[test]
    fn the_newest_version_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9.6", "15", "17", "9.10"] {
            install(&root.path().join("pg").join(version).join("bin"), &NEEDED);
        }
        let pattern = format!("{}/pg/*/bin", root.path().display());
        let found: Vec<_> = matches(&pattern)
            .iter()
            .map(|path| path.parent().unwrap().file_name().unwrap().to_owned())
            .collect();
        assert_eq!(found, ["17", "15", "9.10", "9.6"]);
    }

    #[test]
    fn a_directory_without_all_programs_is_no_installation() {
        let root = tempfile::tempdir().unwrap();
        let clients = install(&root.path().join("clients"), &["psql"]);
        let error = find(Some(&clients)).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("apt-get install postgresql"), "{message}");
        assert!(message.contains(clients.to_str().unwrap()), "{message}");
        let whole = install(&root.path().join("whole"), &NEEDED);
        assert_eq!(find(Some(&whole)).unwrap(), whole);
    }
}
