//! The source contracts that a service can mount beside the native API.

use std::fmt;
use std::str::FromStr;

use audit_core::Error;

/// A contract of another audit API, served at its own paths with its own records.
///
/// ```
/// use audit_http::{Contract, HttpOptions};
///
/// let options = HttpOptions::default().with_contracts([Contract::AuditTrails]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Contract {
    /// A: the caller's organization and its activities.
    OrganizationsAndActivities,
    /// B: audit log items by type, product, config and environment.
    AuditLogItems,
    /// C: audit trails, a feed with a continuation token.
    AuditTrails,
    /// D: the lifecycle of an organization, and its audit log by page.
    OrganisationAuditLogs,
    /// E: the platform's log, for super-admins.
    SuperAdminAuditLogs,
}

impl Contract {
    /// Every contract, A to E.
    pub const ALL: [Self; 5] = [
        Self::OrganizationsAndActivities,
        Self::AuditLogItems,
        Self::AuditTrails,
        Self::OrganisationAuditLogs,
        Self::SuperAdminAuditLogs,
    ];

    /// Returns the name, that of its module in `audit-contracts` with hyphens: `audit-trails`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrganizationsAndActivities => "organizations-and-activities",
            Self::AuditLogItems => "audit-log-items",
            Self::AuditTrails => "audit-trails",
            Self::OrganisationAuditLogs => "organisation-audit-logs",
            Self::SuperAdminAuditLogs => "super-admin-audit-logs",
        }
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Contract {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|contract| contract.name() == name).ok_or_else(|| {
            Error::malformed(
                "contract",
                "organizations-and-activities, audit-log-items, audit-trails, \
                 organisation-audit-logs or super-admin-audit-logs",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for contract in Contract::ALL {
            assert_eq!(contract.to_string().parse::<Contract>().unwrap(), contract);
        }
        assert_eq!("a".parse::<Contract>().unwrap_err().field(), Some("contract"));
    }
}
