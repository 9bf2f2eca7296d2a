//! Verification compares the tables beside the logs with the events that declare them.

use std::path::Path;

use audit_core::{
    Actor, AuditContext, AuditStore as _, HolderErasure as _, Log, NewApiKey, NewEvent,
    NewOrganization, OrganizationId, OrganizationUpdate, Retention, RetentionStore as _, Role,
    TenantStore as _,
};
use audit_merkle::{Difference, Report, StateFinding, Verdict, VerifyExt as _};
use audit_sqlite::SqliteStore;
use audit_sqlite::rusqlite::{Connection, params};
use futures_executor::block_on;

fn by() -> AuditContext {
    AuditContext::new(Actor::system())
}

fn verify(store: &SqliteStore, log: Log) -> Report {
    let verification = store.verify(log).with_retention(store).with_tenants(store);
    block_on(verification.into_future()).unwrap()
}

fn edit(path: &Path, sql: &str, id: &[u8]) {
    let connection = Connection::open(path).unwrap();
    let edited = connection.prepare(sql).unwrap().execute(params![id]).unwrap();
    assert!(edited > 0, "{sql}");
}

/// A store with a tenant: a hold, two changes of its name, and a key of each role, one revoked.
struct Tenant {
    path: std::path::PathBuf,
    store: SqliteStore,
    id: OrganizationId,
    _directory: tempfile::TempDir,
}

impl Tenant {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.db");
        let store = SqliteStore::open(&path).unwrap();
        block_on(async {
            let id = store.create_organization(NewOrganization::new("Acme"), by()).await?.id;
            for role in Role::ALL {
                let new = NewApiKey::new(id, role, "ana@acme.example");
                let (key, _) = store.create_api_key(new, by()).await?;
                if role == Role::SuperAdmin {
                    store.revoke_api_key(key.id, by()).await?;
                }
            }
            for name in ["Umbrella", "Initech"] {
                let update = OrganizationUpdate::default().name(name);
                store.update_organization(id, update, by()).await?;
            }
            let held = Retention::default().max_events(1_000).with_legal_hold();
            store.set_retention(id.into(), held, by()).await?;
            store.append(id.into(), vec![NewEvent::new("a", Actor::user("u"))]).await?;
            Ok(Self { path, store, id, _directory: directory })
        })
        .map_err(|error: audit_core::Error| error.to_string())
        .unwrap()
    }
}

#[test]
fn what_the_events_declare_is_intact_also_when_it_changes_meanwhile() {
    let tenant = Tenant::new();
    for log in [tenant.id.into(), Log::Platform] {
        let report = verify(&tenant.store, log);
        assert_eq!(report.verdict(), Verdict::Intact, "{report}");
    }
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            for name in 0..40 {
                let update = OrganizationUpdate::default().name(format!("Acme {name}"));
                block_on(tenant.store.update_organization(tenant.id, update, by())).unwrap();
            }
        });
        while !changing.is_finished() {
            let report = verify(&tenant.store, tenant.id.into());
            assert_eq!(report.state, [], "{report}");
        }
    });
}

/// Returns whether a finding is that of an edit of an organization.
type Is = Box<dyn Fn(OrganizationId, &StateFinding) -> bool>;

#[test]
fn every_edit_of_the_state_is_found_in_the_logs_that_declare_it() {
    let json = |path: &str, value: &str| {
        format!(
            "UPDATE audit_api_key SET body = CAST(json_set(body, '{path}', {value}) AS BLOB)
             WHERE organization = ?1"
        )
    };
    let lifted = r#"UPDATE audit_log SET retention = CAST('{"maxEvents":1,"legalHold":false}' AS BLOB)
         WHERE name = ?1"#;
    let renamed = "UPDATE audit_organization
         SET body = CAST(json_set(body, '$.name', 'Evil') AS BLOB) WHERE id = ?1";
    let added =
        "INSERT INTO audit_api_key SELECT x'00112233445566778899aabbccddeeff', organization,
         CAST(json_set(body, '$.id', '00112233-4455-6677-8899-aabbccddeeff') AS BLOB)
         FROM audit_api_key WHERE organization = ?1 LIMIT 1";
    let organization = |how| move |id| StateFinding::Organization { id, how };
    let is_key = |how: Difference| move |finding: &StateFinding| matches!(finding, StateFinding::ApiKey { how: h, .. } if *h == how);
    // The edit; whether only the organization's own log shows it; what it is.
    let of = |how| -> Is {
        let make = organization(how);
        Box::new(move |id, f| *f == make(id))
    };
    let key = |how| -> Is {
        let is = is_key(how);
        Box::new(move |_, f| is(f))
    };
    let edits: [(String, bool, Is); 9] = [
        (lifted.into(), true, Box::new(|_, f| *f == StateFinding::Retention)),
        (renamed.into(), false, of(Difference::Changed)),
        (
            "UPDATE audit_organization SET body = NULL WHERE id = ?1".into(),
            false,
            of(Difference::Missing),
        ),
        ("DELETE FROM audit_organization WHERE id = ?1".into(), false, of(Difference::Missing)),
        (added.into(), false, key(Difference::Undeclared)),
        (json("$.role", "'super-admin'"), false, key(Difference::Changed)),
        (json("$.email", "'eve@acme.example'"), false, key(Difference::Changed)),
        (
            json("$.digest[0]", "json_extract(body, '$.digest[0]') <> 1"),
            false,
            key(Difference::Changed),
        ),
        (
            "DELETE FROM audit_api_key WHERE organization = ?1".into(),
            false,
            key(Difference::Missing),
        ),
    ];
    for (sql, own_only, is) in edits {
        let tenant = Tenant::new();
        edit(&tenant.path, &sql, tenant.id.as_bytes());
        for log in [tenant.id.into(), Log::Platform] {
            let report = verify(&tenant.store, log);
            if own_only && log == Log::Platform {
                assert!(report.is_intact(), "{sql}: {report}");
                continue;
            }
            assert_eq!(report.finding, None, "{sql}: {report}");
            assert!(report.state.iter().any(|finding| is(tenant.id, finding)), "{sql}: {report}");
            assert_eq!(report.verdict(), Verdict::NotIntact);
            assert_eq!(report.into_result().unwrap_err().field(), Some("state"));
        }
    }
}

#[test]
fn a_revocation_undone_by_an_edit_is_found() {
    let tenant = Tenant::new();
    let sql = "UPDATE audit_api_key SET body = CAST(json_remove(body, '$.revokedAt') AS BLOB)
         WHERE organization = ?1 AND json_extract(body, '$.revokedAt') IS NOT NULL";
    edit(&tenant.path, sql, tenant.id.as_bytes());
    let report = verify(&tenant.store, tenant.id.into());
    let [StateFinding::ApiKey { how, .. }] = *report.state else { panic!("{report}") };
    assert_eq!(how, Difference::Changed);
}

#[test]
fn a_log_that_is_missing_with_all_its_rows_is_found_by_its_organization() {
    let tenant = Tenant::new();
    let log = "(SELECT id FROM audit_log WHERE name = ?1)";
    for table in ["audit_event", "audit_tail", "audit_tile"] {
        let sql = format!("DELETE FROM {table} WHERE event_key >> 40 = {log}");
        Connection::open(&tenant.path).unwrap().execute(&sql, [tenant.id.as_bytes()]).unwrap();
    }
    edit(
        &tenant.path,
        &format!("DELETE FROM audit_event_id WHERE log = {log}"),
        tenant.id.as_bytes(),
    );
    edit(&tenant.path, "DELETE FROM audit_log WHERE name = ?1", tenant.id.as_bytes());
    let report = verify(&tenant.store, tenant.id.into());
    let how = Difference::Undeclared;
    assert_eq!(report.state[0], StateFinding::Organization { id: tenant.id, how });
    assert_eq!(report.verdict(), Verdict::NotIntact);
}

#[test]
fn a_log_without_events_is_not_intact_and_not_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("audit.db")).unwrap();
    for log in [Log::Platform, OrganizationId::new().into()] {
        let report = verify(&store, log);
        assert_eq!(report.verdict(), Verdict::NothingVerified);
        assert!(report.to_string().ends_with("Nothing was verified."), "{report}");
        assert_eq!(report.into_result().unwrap_err().field(), Some("records"));
    }
}

#[test]
fn pruned_and_erased_changes_are_not_held_against_the_state() {
    let tenant = Tenant::new();
    let (store, log) = (&tenant.store, Log::from(tenant.id));
    block_on(store.set_retention(log, Retention::default().max_events(1), by())).unwrap();
    let events = (0..100).map(|_| NewEvent::new("a", Actor::user("u"))).collect();
    block_on(store.append(log, events)).unwrap();
    assert!(block_on(store.prune(log, by().into())).unwrap().events > 0);
    let keys = block_on(store.api_keys(tenant.id, None, 9)).unwrap();
    let revoked = keys.iter().find(|key| key.revoked_at.is_some()).unwrap();
    block_on(store.erase_holder(revoked.id, by())).unwrap();
    for log in [log, Log::Platform] {
        let report = verify(store, log);
        assert_eq!(report.verdict(), Verdict::Intact, "{report}");
    }
}
