//! The catalogue: what the service records.

use audit_derive::AuditAction;

#[derive(AuditAction)]
#[allow(dead_code)] // some are recorded by the layer, by their names
pub(crate) enum Sales {
    /// A user logged in, or tried to.
    #[audit(action = "user.login", severity = "informational", since = "1.0", ocsf = 3002)]
    UserLogin,
    /// A customer was created.
    #[audit(action = "customer.created", since = "1.0")]
    CustomerCreated {
        #[audit(target = "customer")]
        customer: i64,
    },
    /// The data of a customer was changed.
    #[audit(action = "customer.updated", since = "1.0")]
    CustomerUpdated {
        #[audit(target = "customer")]
        customer: i64,
    },
    /// A customer was deleted.
    #[audit(action = "customer.deleted", severity = "medium", since = "1.0")]
    CustomerDeleted {
        #[audit(target = "customer")]
        customer: i64,
    },
    /// A customer was sent a reminder.
    #[audit(action = "customer.reminded", since = "1.1")]
    CustomerReminded,
    /// All customers of a tenant were exported.
    #[audit(action = "customers.exported", severity = "medium", since = "1.1")]
    CustomersExported,
}
