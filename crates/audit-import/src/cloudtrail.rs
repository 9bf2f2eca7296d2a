//! AWS CloudTrail records.
//!
//! | record | event |
//! |---|---|
//! | `eventID` | source id |
//! | `eventTime` | time |
//! | `eventSource` | scope: service |
//! | `eventSource` without `.amazonaws.com`, and `eventName` | action: `s3.GetObject` |
//! | `eventCategory` | category |
//! | `userIdentity.type` | actor kind: see below; it stays |
//! | `userIdentity.principalId`, else `arn`, else of a service `invokedBy` | actor id |
//! | `userIdentity.userName` | actor name |
//! | `userIdentity.accountId` | actor's organization |
//! | `sourceIPAddress`, `userAgent` | actor IP, user agent |
//! | `recipientAccountId` | organization |
//! | `resources[]`: `type`, `ARN` | targets |
//! | `awsRegion` | location |
//! | `errorCode`, `errorMessage` | message key, text |
//! | `sharedEventID` | change set: one action recorded in several accounts |
//!
//! Users, the root user among them, are of kind `user`; roles, federated sessions and other
//! accounts act through a credential and are `api`; AWS services are `service`, also where the
//! record has no type but says which service acted. A service that acts for a user
//! (`invokedBy`) leaves the user the actor.

use audit_core::{Action, Actor, ActorKind, NewEvent, OrganizationRef, Result, Target};

use crate::layout::Layout;
use crate::record::{NO_VALUE, Record};

pub(crate) const LAYOUT: Layout = Layout {
    ids: &[&["eventID"]],
    times: &[&["eventTime"]],
    placeholders: NO_VALUE,
    restate: |_| None,
    read,
};

const DOMAIN: &str = ".amazonaws.com";

fn read(record: &mut Record) -> Result<NewEvent> {
    let action = action(record)?;
    let mut event = NewEvent::new(action, actor(record));
    event.category = record.take_text(&["eventCategory"]);
    event.targets = record.take_items(&["resources"], target);
    event.organization = record.take_text(&["recipientAccountId"]).map(OrganizationRef::new);
    event.scope.service = record.take_text(&["eventSource"]);
    event.change_set_id = record.take_change_set(&["sharedEventID"]);
    event.message.key = record.take_text(&["errorCode"]);
    event.message.text = record.take_text(&["errorMessage"]);
    event.location = record.take_text(&["awsRegion"]);
    Ok(event)
}

fn action(record: &mut Record) -> Result<Action> {
    match (record.text(&["eventSource"]), record.text(&["eventName"])) {
        (Some(source), Some(name)) => {
            Ok(format!("{}.{name}", source.strip_suffix(DOMAIN).unwrap_or(&source)).into())
        }
        _ => record.take_required(&["eventName"]).map(Action::from),
    }
}

fn actor(record: &mut Record) -> Actor {
    let kind = match record.text(&["userIdentity", "type"]).as_deref() {
        Some(
            "Root" | "IAMUser" | "SAMLUser" | "WebIdentityUser" | "IdentityCenterUser"
            | "Directory",
        ) => ActorKind::USER,
        Some("AssumedRole" | "Role" | "FederatedUser" | "AWSAccount") => ActorKind::API,
        Some("AWSService") => ActorKind::SERVICE,
        None if record.text(&["userIdentity", "invokedBy"]).is_some() => ActorKind::SERVICE,
        _ => ActorKind::UNKNOWN,
    };
    let mut ids = vec!["principalId", "arn"];
    if kind == ActorKind::SERVICE {
        ids.push("invokedBy");
    }
    let mut actor = Actor::new(kind);
    actor.id = ids.into_iter().find_map(|key| record.take_text(&["userIdentity", key]));
    actor.name = record.take_text(&["userIdentity", "userName"]);
    actor.ip = record.take_text(&["sourceIPAddress"]);
    actor.user_agent = record.take_text(&["userAgent"]);
    actor.organization = record.take_text(&["userIdentity", "accountId"]).map(OrganizationRef::new);
    actor
}

fn target(resource: &mut Record) -> Option<Target> {
    Target::from_parts(resource.take_text(&["type"]), resource.take_text(&["ARN"]), None)
}
