use audit_derive::Audited;

#[derive(Audited)]
struct NoTarget {
    #[audit(id)]
    id: u64,
}

#[derive(Audited)]
#[audit(target = "")]
struct EmptyTarget {
    #[audit(id)]
    id: u64,
}

#[derive(Audited)]
#[audit(name = "order")]
struct OtherName {
    #[audit(id)]
    id: u64,
}

#[derive(Audited)]
#[audit(target = "order")]
struct NoId {
    id: u64,
}

#[derive(Audited)]
#[audit(target = "order")]
struct TwoIds {
    #[audit(id)]
    id: u64,
    #[audit(id)]
    other: u64,
}

#[derive(Audited)]
#[audit(target = "order")]
enum Kind {
    Gift,
}

#[derive(Audited)]
#[audit(target = "order")]
struct Tuple(u64);

fn main() {}
