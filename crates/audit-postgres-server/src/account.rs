//! The user who runs the programs of PostgreSQL.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::ServerError;

/// Another user than that of this process, which is root: PostgreSQL refuses to run as root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// Returns the user who has to run PostgreSQL, given a directory that this process has created;
    /// `None` if it is the user of this process.
    pub(crate) fn for_owner_of(directory: &Path) -> Result<Option<Self>, ServerError> {
        let owner = fs::metadata(directory).map_err(ServerError::io("reading a new directory"))?;
        if owner.uid() != 0 {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let account = Self::named(&users, "postgres").or_else(|| Self::named(&users, "nobody"));
        Ok(Some(account.unwrap_or(Self { uid: 65534, gid: 65534 })))
    }

    fn named(users: &str, name: &str) -> Option<Self> {
        let mut fields = users.lines().map(|line| line.split(':')).find_map(|mut fields| {
            (fields.next() == Some(name)).then(|| fields.skip(1).map(str::parse))
        })?;
        Some(Self { uid: fields.next()?.ok()?, gid: fields.next()?.ok()? })
    }

    /// Makes the directory that of the user.
    pub(crate) fn own(self, directory: &Path) -> Result<(), ServerError> {
        let changed = chown(directory, Some(self.uid), Some(self.gid));
        changed.map_err(ServerError::io("giving the directory to the user who runs PostgreSQL"))
    }

    /// Lets the user run the command.
    pub(crate) fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:8::/:\npostgres:x:101:104:,,,:/:\n";
        let found = Account::named(users, "postgres").map(|account| (account.uid, account.gid));
        assert_eq!(found, Some((101, 104)));
        assert!(Account::named(users, "nobody").is_none());
        assert!(Account::named("postgres:x\npostgres:x:a:b", "postgres").is_none());
    }
}
