use audit_core::{Actor, NewEvent};
use audit_derive::AuditAction;

struct Method;

#[derive(AuditAction)]
enum NoText {
    /// An invoice was paid.
    #[audit(action = "invoice.paid")]
    Paid {
        #[audit(attribute)]
        method: Method,
    },
}

#[derive(AuditAction)]
enum Billing {
    /// An invoice was paid.
    #[audit(action = "invoice.paid")]
    Paid {
        #[audit(target = "invoice")]
        invoice: u64,
    },
}

fn main() {
    // The compiler asks for what an event lacks.
    let _ = NewEvent::new(Billing::Paid {}, Actor::system());
}
