//! Records a handful of events into a SQLite file, filters them, and pages through them by token.
//!
//! `cargo run -p example-quickstart [FILE]`
//!
//! Run it again: the organization and its log are still there, and the log has grown.

use std::process::ExitCode;

use audit_core::{
    Actor, AuditContext, AuditEvent, AuditStore, AuditStoreExt, EventQuery, Filter, NewEvent,
    NewOrganization, OrganizationUpdate, Result, TenantStore as _,
};
use audit_sqlite::SqliteStore;
use futures_executor::block_on;

fn main() -> ExitCode {
    let path = std::env::args_os().nth(1).unwrap_or_else(|| "quickstart.db".into());
    match block_on(run(path.as_ref())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(path: &std::path::Path) -> Result<()> {
    let store = SqliteStore::open(path)?;
    let ana = || Actor::user("u_ana").name("Ana").email("ana@acme.example").ip("203.0.113.7");

    // An organization is a tenant with a log of its own. Its changes are events, too.
    let acme = match store.organizations(None, 1).await?.pop() {
        Some(acme) => acme,
        None => store.create_organization(NewOrganization::new("Acme"), ana().into()).await?,
    };
    let rename = OrganizationUpdate::default().name(next_name(&acme.name));
    let by = AuditContext::new(ana()).reason("rebranding");
    let acme = store.update_organization(acme.id, rename, by).await?;

    // One event, and a batch that is recorded as a whole or not at all.
    let login = NewEvent::new("user.login", ana()).message("Ana signed in");
    let receipt = store.record(acme.id, login.clone()).await?;
    let invoices = (1..=5).map(|number| {
        NewEvent::new("invoice.paid", ana())
            .target("invoice", format!("inv_{number}"))
            .message(format!("Ana paid invoice {number}"))
    });
    store.append(acme.id.into(), invoices.collect()).await?;

    // The same event again is recognised, not recorded twice.
    let again = store.record(acme.id, login).await?;
    assert_eq!((again.sequence, again.redelivered), (receipt.sequence, true));

    println!("{} in {}, newest first, three a page:", acme.name, path.display());
    let everything = EventQuery::new(acme.id).limit(3).with_total();
    let mut page = store.page(&everything).await?;
    let total = page.total.unwrap_or_default();
    loop {
        page.events.iter().for_each(print);
        let Some(token) = page.next else { break };
        println!("  … continued with token {}…", &token.as_str()[..12]);
        page = store.next_page(&everything, &token).await?;
    }
    println!("{total} events in all\n");

    println!("What happened to invoice inv_2:");
    let filter = Filter::new().action("invoice.*").target("invoice", "inv_2");
    store.page(&EventQuery::new(acme.id).filter(filter)).await?.events.iter().for_each(print);
    Ok(())
}

fn next_name(name: &str) -> String {
    let number = name.rsplit(' ').next().and_then(|last| last.parse::<u32>().ok()).unwrap_or(1);
    format!("Acme {}", number + 1)
}

fn print(event: &AuditEvent) {
    let text = event.message.text.as_deref().unwrap_or_default();
    println!("  #{:<3} {}  {:<22} {text}", event.sequence, event.occurred_at, event.action);
    for change in &event.change.diff {
        let side = |value: &Option<serde_json::Value>| {
            value.as_ref().map_or_else(|| "absent".to_owned(), ToString::to_string)
        };
        println!("       {}: {} → {}", change.field, side(&change.old), side(&change.new));
    }
}
