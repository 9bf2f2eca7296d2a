//! Compiles the snippets of the READMEs as tests.

macro_rules! readmes {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../../", $path))]
            pub struct $name;
        )*
    };
}

readmes! {
    Workspace: "README.md",
    Blocking: "crates/audit-blocking/README.md",
    Catalogue: "crates/audit-catalogue/README.md",
    Contracts: "crates/audit-contracts/README.md",
    Core: "crates/audit-core/README.md",
    Derive: "crates/audit-derive/README.md",
    Export: "crates/audit-export/README.md",
    Forward: "crates/audit-forward/README.md",
    Http: "crates/audit-http/README.md",
    Import: "crates/audit-import/README.md",
    Memory: "crates/audit-memory/README.md",
    Merkle: "crates/audit-merkle/README.md",
    Postgres: "crates/audit-postgres/README.md",
    PostgresServer: "crates/audit-postgres-server/README.md",
    Spool: "crates/audit-spool/README.md",
    Sqlite: "crates/audit-sqlite/README.md",
    Testing: "crates/audit-testing/README.md",
    Tower: "crates/audit-tower/README.md",
}
