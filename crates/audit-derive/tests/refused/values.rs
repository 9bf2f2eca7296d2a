use audit_derive::Audited;

struct Secret;

#[derive(Audited)]
#[audit(target = "order")]
struct Order {
    #[audit(id)]
    id: u64,
    secret: Secret,
}

#[derive(Audited)]
#[audit(target = "order")]
struct Unnamed {
    #[audit(id)]
    id: Secret,
}

fn main() {}
