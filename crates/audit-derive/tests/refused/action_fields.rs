use audit_derive::AuditAction;

#[derive(AuditAction)]
enum NoRole {
    /// An invoice was paid.
    #[audit(action = "invoice.paid")]
    Paid { invoice: u64 },
}

#[derive(AuditAction)]
enum TwoRoles {
    /// An invoice was paid.
    #[audit(action = "invoice.paid")]
    Paid {
        #[audit(target = "invoice", attribute)]
        invoice: u64,
    },
}

#[derive(AuditAction)]
enum TwoTargets {
    /// A payment was moved.
    #[audit(action = "payment.moved")]
    Moved {
        #[audit(target = "invoice")]
        from: u64,
        #[audit(target = "invoice")]
        to: u64,
    },
}

#[derive(AuditAction)]
enum ManyValues {
    /// An invoice was tagged.
    #[audit(action = "invoice.tagged")]
    Tagged {
        #[audit(attribute)]
        tags: Vec<String>,
    },
}

#[derive(AuditAction)]
enum Unnamed {
    /// An invoice was paid.
    #[audit(action = "invoice.paid")]
    Paid(u64),
}

#[derive(AuditAction)]
enum NoType {
    /// An invoice was paid.
    #[audit(action = "invoice.paid")]
    Paid {
        #[audit(target = "")]
        invoice: u64,
    },
}

fn main() {}
