use audit_derive::Audited;

#[derive(Audited)]
#[audit(target = "order")]
struct Misspelt {
    #[audit(id)]
    id: u64,
    #[audit(redacted)]
    iban: String,
}

#[derive(Audited)]
#[audit(target = "order")]
struct Both {
    #[audit(id)]
    id: u64,
    #[audit(redact, hash)]
    iban: String,
}

#[derive(Audited)]
#[audit(target = "order")]
struct Named {
    #[audit(id)]
    id: u64,
    amount: u64,
    #[audit(rename = "amount")]
    cents: u64,
}

#[derive(Audited)]
#[audit(target = "order")]
struct Skipped {
    #[audit(id)]
    id: u64,
    #[audit(skip, rename = "amount")]
    cents: u64,
}

#[derive(Audited)]
#[audit(target = "order")]
struct Keyed {
    #[audit(id)]
    id: u64,
    #[audit(redact, key = "sku")]
    lines: Vec<u64>,
}

fn main() {}
