//! `audit organizations`: the tenants.

use audit_core::{NewOrganization, Organization, OrganizationId, limits};
use clap::Subcommand;
use serde_json::Value;

use crate::address::StoreAddress;
use crate::caller;
use crate::error::Result;
use crate::output::{Output, note};
use crate::text::cell;
use crate::{tenant, view};

/// Creates, lists and shows organizations.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Command {
    /// Creates an organization. Records an event in its log and in the platform's.
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        /// The name.
        #[arg(long)]
        name: String,
        /// The id, a UUID that no organization has had; a new one by default.
        #[arg(long, value_name = "UUID")]
        id: Option<OrganizationId>,
        /// The e-mail address of the creator.
        #[arg(long, value_name = "EMAIL")]
        created_by: Option<String>,
        /// Prints the organization as JSON on one line.
        #[arg(long)]
        json: bool,
    },
    /// Lists the organizations by their ids.
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// Prints JSON Lines.
        #[arg(long)]
        json: bool,
    },
    /// Shows an organization.
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// The id.
        id: OrganizationId,
        /// Prints the organization as JSON on one line.
        #[arg(long)]
        json: bool,
    },
}

const EXAMPLES: &str = "\
Examples:
  audit organizations create --name \"Acme Corp\"
  audit organizations list";
const CREATE_EXAMPLES: &str = "\
Examples:
  audit organizations create --name \"Acme Corp\" --created-by founder@acme.example
  audit organizations create --name Acme --id 3fa85f64-5717-4562-b3fc-2c963f66afa6 --json";
const LIST_EXAMPLES: &str = "\
Examples:
  audit organizations list
  audit organizations list --json | jq -r .id";
const SHOW_EXAMPLES: &str = "\
Examples:
  audit organizations show 3fa85f64-5717-4562-b3fc-2c963f66afa6 --json";

impl Command {
    pub(crate) async fn run(self, address: &StoreAddress) -> Result<()> {
        match self {
            Self::Create { name, id, created_by, json } => {
                let mut new = NewOrganization::new(name);
                new.id = id.unwrap_or(new.id);
                new.created_by = created_by;
                let store = address.open().await?;
                let created = store.create_organization(new, caller::context()).await?;
                show(&created, json)
            }
            Self::List { json } => list(address, json).await,
            Self::Show { id, json } => {
                let store = address.open_for_reading().await?;
                show(&tenant::existing(&*store, address, id).await?, json)
            }
        }
    }
}

fn show(organization: &Organization, json: bool) -> Result<()> {
    let mut output = Output::stdout();
    if json {
        output.json(organization)?;
        return output.flush();
    }
    let Organization { id, external_id, name, private_endpoints, settings, created_by, .. } =
        organization;
    output.line(format_args!("id:           {id}"))?;
    output.line(format_args!("name:         {}", cell(name)))?;
    for (label, value) in [("external id:  ", external_id), ("created by:   ", created_by)] {
        if let Some(value) = value {
            output.line(format_args!("{label}{}", cell(value)))?;
        }
    }
    output.line(format_args!("created at:   {}", view::time(organization.created_at)))?;
    output.line(format_args!("updated at:   {}", view::time(organization.updated_at)))?;
    if !settings.is_empty() {
        let settings = Value::Object(settings.clone()).to_string();
        output.line(format_args!("settings:     {}", cell(&settings)))?;
    }
    for endpoint in private_endpoints {
        output.line(format_args!("endpoint:     {}", cell(&endpoint.id)))?;
    }
    output.flush()
}

async fn list(address: &StoreAddress, json: bool) -> Result<()> {
    let store = address.open_for_reading().await?;
    let mut output = Output::stdout();
    let mut after = None;
    loop {
        let page = store.organizations(after, limits::MAX_ORGANIZATIONS_PAGE).await?;
        let Some(last) = page.last() else { break };
        if json {
            page.iter().try_for_each(|organization| output.json(organization))?;
        } else {
            let rows = page.iter().map(|organization| {
                let created_at = view::time(organization.created_at);
                [organization.id.to_string(), created_at, cell(&organization.name)]
            });
            for line in view::table(&["ID", "CREATED AT", "NAME"], rows).lines() {
                output.line(line.trim_end())?;
            }
        }
        after = Some(last.id);
    }
    if after.is_none() && !json {
        note(format_args!("there is no organization yet"));
    }
    output.flush()
}
