use audit_derive::AuditAction;

#[derive(AuditAction)]
struct NoEnum;

#[derive(AuditAction)]
enum Empty {}

#[derive(AuditAction)]
enum NoName {
    /// An invoice was paid.
    InvoicePaid,
}

#[derive(AuditAction)]
enum NoSummary {
    #[audit(action = "invoice.paid")]
    InvoicePaid,
}

#[derive(AuditAction)]
enum Twice {
    /// An invoice was paid.
    #[audit(action = "invoice.paid")]
    InvoicePaid,
    /// An invoice was settled.
    #[audit(action = "invoice.paid")]
    InvoiceSettled,
}

#[derive(AuditAction)]
enum Reserved {
    /// The log was erased.
    #[audit(action = "log.erased")]
    LogErased,
}

#[derive(AuditAction)]
enum Wildcard {
    /// Something happened to an invoice.
    #[audit(action = "invoice.*")]
    Invoice,
}

#[derive(AuditAction)]
enum Segments {
    /// An invoice was paid.
    #[audit(action = "invoice..paid")]
    Paid,
}

#[derive(AuditAction)]
enum UnknownSeverity {
    /// An invoice was paid.
    #[audit(action = "invoice.paid", severity = "info")]
    Paid,
}

#[derive(AuditAction)]
enum Misspelt {
    /// An invoice was paid.
    #[audit(name = "invoice.paid")]
    Paid,
}

#[derive(AuditAction)]
enum Zero {
    /// An invoice was paid.
    #[audit(action = "invoice.paid", version = 0)]
    Paid,
}

fn main() {}
