//! `audit keys`: API keys.

use audit_core::{
    ApiKey, ApiKeyId, HolderErasure as _, NewApiKey, OrganizationId, Role, Timestamp, limits,
};
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use serde::Serialize;

use crate::address::StoreAddress;
use crate::error::{CliError, Result};
use crate::output::{Output, note};
use crate::text::cell;
use crate::{caller, progress, tenant, view};

/// Creates, lists and revokes API keys.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Command {
    /// Creates a key. Records an event in its organization's log and in the platform's.
    ///
    /// Prints the secret, which cannot be shown again: only its hash is stored.
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        /// The organization to which the key belongs.
        #[arg(long, value_name = "ID")]
        organization: OrganizationId,
        /// The role: member reads the organization's log; admin also changes the organization and
        /// appends; super-admin also reads every log.
        #[arg(long, value_parser = PossibleValuesParser::new(Role::ALL.map(Role::name))
            .try_map(|name| name.parse::<Role>()))]
        role: Role,
        /// The e-mail address of the key's holder. `audit keys forget` removes it.
        #[arg(long)]
        email: String,
        #[command(flatten)]
        form: CreatedForm,
    },
    /// Lists the keys of an organization, including revoked ones.
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// The organization.
        #[arg(long, value_name = "ID")]
        organization: OrganizationId,
        /// Prints JSON Lines.
        #[arg(long)]
        json: bool,
    },
    /// Removes the e-mail address of the holder of a revoked key for ever.
    ///
    /// Removes it from the key, and as that of the creator of organizations. Erases the personal data
    /// of the events of every log of which the key is the actor or a target. Events that name the
    /// person but not the key are left; erase them with `audit erase`. Run `audit compact` afterwards,
    /// so that no byte of the address is left in unused space of the file.
    #[command(after_help = FORGET_EXAMPLES)]
    Forget {
        /// The key's id.
        #[arg(value_name = "KEYID")]
        id: ApiKeyId,
        /// The reason, recorded in the logs.
        #[arg(long)]
        reason: Option<String>,
        /// Prints one line of JSON: keyId, erased.
        #[arg(long)]
        json: bool,
    },
    /// Revokes a key for ever.
    #[command(after_help = REVOKE_EXAMPLES)]
    Revoke {
        /// The key's id.
        #[arg(value_name = "KEYID")]
        id: ApiKeyId,
        /// Prints the key as JSON on one line.
        #[arg(long)]
        json: bool,
    },
}

/// The form in which a new key is printed; text by default.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(multiple = false)]
pub(crate) struct CreatedForm {
    /// Prints JSON on one line.
    #[arg(long)]
    json: bool,
    /// Prints only the secret, which is a complete Bearer token.
    #[arg(long)]
    secret_only: bool,
}

const EXAMPLES: &str = "\
Examples:
  audit keys create --organization ID --role admin --email ana@acme.example
  audit keys list --organization ID";
const CREATE_EXAMPLES: &str = "\
Examples:
  audit keys create --organization ID --role member --email ana@acme.example
  KEY=$(audit keys create --organization ID --role admin --email ci@acme.example --secret-only)
  curl -H \"Authorization: Bearer $KEY\" http://127.0.0.1:8080/v1/organizations";
const LIST_EXAMPLES: &str = "\
Examples:
  audit keys list --organization ID --json | jq -r 'select(.revokedAt == null).keyId'";
const FORGET_EXAMPLES: &str = "\
Examples:
  audit keys revoke 3fa85f64-5717-4562-b3fc-2c963f66afa6
  audit keys forget 3fa85f64-5717-4562-b3fc-2c963f66afa6 --reason 'request 4711'
  audit compact";
const REVOKE_EXAMPLES: &str = "\
Examples:
  audit keys revoke 3fa85f64-5717-4562-b3fc-2c963f66afa6";

/// A new key as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    key_id: ApiKeyId,
    secret: &'a str,
    organization_id: OrganizationId,
    role: Role,
}

/// An existing key as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    key_id: ApiKeyId,
    organization_id: OrganizationId,
    role: Role,
    email: Option<&'a str>,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
}

impl<'a> From<&'a ApiKey> for Shown<'a> {
    fn from(key: &'a ApiKey) -> Self {
        Self {
            key_id: key.id,
            organization_id: key.organization_id,
            role: key.role,
            email: key.email.as_deref(),
            created_at: key.created_at,
            revoked_at: key.revoked_at,
        }
    }
}

impl Command {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<()> {
        match self {
            Self::Create { organization, role, email, form } => {
                create(address, NewApiKey::new(organization, role, email), form).await
            }
            Self::List { organization, json } => list(address, organization, json).await,
            Self::Forget { id, reason, json } => forget(address, id, reason, json).await,
            Self::Revoke { id, json } => revoke(address, id, json).await,
        }
    }
}

async fn create(address: &StoreAddress, new: NewApiKey, form: CreatedForm) -> Result<()> {
    let store = address.open_existing().await?;
    tenant::existing(&*store, address, new.organization_id).await?;
    let (key, secret) = store.create_api_key(new, caller::context()).await?;
    let ApiKey { id, organization_id, role, .. } = key;
    let secret = secret.expose();
    let mut output = Output::stdout();
    if form.json {
        output.json(&Created { key_id: id, secret, organization_id, role })?;
    } else if form.secret_only {
        output.line(secret)?;
    } else {
        output.line(format_args!("key id:       {id}"))?;
        output.line(format_args!("secret:       {secret}"))?;
        output.line(format_args!("organization: {organization_id}"))?;
        output.line(format_args!("role:         {role}"))?;
        output.line("")?;
        output.line("The secret cannot be shown again: keep it now.")?;
    }
    output.flush()
}

async fn list(address: &StoreAddress, organization: OrganizationId, json: bool) -> Result<()> {
    let store = address.open_for_reading().await?;
    let mut output = Output::stdout();
    let mut after = None;
    loop {
        let page = store.api_keys(organization, after, limits::MAX_API_KEYS_PAGE).await?;
        let Some(last) = page.last() else { break };
        if json {
            page.iter().try_for_each(|key| output.json(&Shown::from(key)))?;
        } else {
            let header = ["KEY ID", "ROLE", "E-MAIL", "CREATED AT", "REVOKED AT"];
            let rows = page.iter().map(|key| {
                let revoked_at = key.revoked_at.map(view::time).unwrap_or_default();
                let created_at = view::time(key.created_at);
                [
                    key.id.to_string(),
                    key.role.to_string(),
                    cell(key.email.as_deref().unwrap_or_default()),
                    created_at,
                    revoked_at,
                ]
            });
            for line in view::table(&header, rows).lines() {
                output.line(line.trim_end())?;
            }
        }
        after = Some(last.id);
    }
    if after.is_none() {
        // The keys of a deleted organization are still listed.
        tenant::existing(&*store, address, organization).await?;
        if !json {
            note(format_args!("the organization has no keys yet"));
        }
    }
    output.flush()
}

async fn forget(
    address: &StoreAddress,
    id: ApiKeyId,
    reason: Option<String>,
    json: bool,
) -> Result<()> {
    let store = address.open_existing().await?;
    let by = match reason {
        Some(reason) => caller::context().reason(reason),
        None => caller::context(),
    };
    let bar = progress::waiting("erasing".to_owned());
    let erased = store.erase_holder(id, by).await;
    bar.finish_and_clear();
    let erased = erased.map_err(|error| match error.field() {
        Some("revokedAt") => CliError::new(format!("key {id} is not revoked"))
            .hint(format!("revoke it first: {} keys revoke {id}", address.command())),
        _ => error.into(),
    })?;
    let mut output = Output::stdout();
    if json {
        output.json(&serde_json::json!({ "keyId": id, "erased": erased.events }))?;
    } else {
        output.line(format_args!("the holder of key {id} is forgotten"))?;
        output.line(format_args!("events erased: {}", erased.events))?;
        note(format_args!("run `{} compact` to clear unused space of the file", address.command()));
    }
    output.flush()
}

async fn revoke(address: &StoreAddress, id: ApiKeyId, json: bool) -> Result<()> {
    let store = address.open_existing().await?;
    let key = store.revoke_api_key(id, caller::context()).await?;
    let mut output = Output::stdout();
    if json {
        output.json(&Shown::from(&key))?;
    } else {
        let when = key.revoked_at.map(view::time).unwrap_or_default();
        output.line(format_args!("key {id} was revoked at {when}"))?;
    }
    output.flush()
}
