//! The types of audit log items.

use std::borrow::Cow;
use std::fmt;

use audit_core::Action;
use serde::{Deserialize, Serialize};

macro_rules! types {
    ($($name:ident = $text:literal,)*) => {
        impl AuditLogType {
            $(
                #[doc = concat!("`", $text, "`")]
                pub const $name: Self = Self(Cow::Borrowed($text));
            )*

            /// The known types, in the order of their source.
            pub const KNOWN: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

/// The type of an audit log item: an open vocabulary, to which the source keeps adding values. An
/// unknown value round-trips.
///
/// The spelling is the source's, and is not uniform: `webHookCreated` but
/// `webhookSigningKeyCreated`, `codeReferencesUploaded` but `codeReferenceDeleted`.
///
/// ```
/// use audit_contracts::audit_log_items::AuditLogType;
/// use audit_core::{Actor, NewEvent};
///
/// let event = NewEvent::new(AuditLogType::PRODUCT_CREATED, Actor::user("u_1"));
/// assert_eq!(event.action.as_str(), "productCreated");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuditLogType(Cow<'static, str>);

impl AuditLogType {
    /// Returns the type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AuditLogType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for AuditLogType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<&'static str> for AuditLogType {
    fn from(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl From<String> for AuditLogType {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<AuditLogType> for Action {
    fn from(kind: AuditLogType) -> Self {
        Self::new(kind.0)
    }
}

types! {
    PRODUCT_CREATED = "productCreated",
    PRODUCT_CHANGED = "productChanged",
    PRODUCT_OWNERSHIP_TRANSFERRED = "productOwnershipTransferred",
    PRODUCT_DELETED = "productDeleted",
    PRODUCTS_REORDERED = "productsReordered",
    TEAM_MEMBER_INVITED = "teamMemberInvited",
    TEAM_MEMBER_INVITATION_REVOKED = "teamMemberInvitationRevoked",
    TEAM_MEMBER_JOINED = "teamMemberJoined",
    TEAM_MEMBER_PERMISSION_GROUP_CHANGED = "teamMemberPermissionGroupChanged",
    TEAM_MEMBER_REMOVED = "teamMemberRemoved",
    TEAM_MEMBER_LEFT = "teamMemberLeft",
    TEAM_MEMBER_INVITATION_CHANGED = "teamMemberInvitationChanged",
    TEAM_MEMBER_INVITATION_RESENT = "teamMemberInvitationResent",
    TEAM_MEMBER_INVITATION_REJECTED = "teamMemberInvitationRejected",
    CONFIG_CREATED = "configCreated",
    CONFIG_CHANGED = "configChanged",
    CONFIG_DELETED = "configDeleted",
    CONFIGS_REORDERED = "configsReordered",
    ENVIRONMENT_CREATED = "environmentCreated",
    ENVIRONMENT_CHANGED = "environmentChanged",
    ENVIRONMENT_DELETED = "environmentDeleted",
    ENVIRONMENTS_REORDERED = "environmentsReordered",
    SETTING_CREATED = "settingCreated",
    SETTING_CHANGED = "settingChanged",
    SETTING_DELETED = "settingDeleted",
    SETTINGS_REORDERED = "settingsReordered",
    SETTING_VALUE_CHANGED = "settingValueChanged",
    WEB_HOOK_CREATED = "webHookCreated",
    WEB_HOOK_CHANGED = "webHookChanged",
    WEB_HOOK_DELETED = "webHookDeleted",
    PERMISSION_GROUP_CREATED = "permissionGroupCreated",
    PERMISSION_GROUP_CHANGED = "permissionGroupChanged",
    PERMISSION_GROUP_DELETED = "permissionGroupDeleted",
    PERMISSION_GROUP_DEFAULT = "permissionGroupDefault",
    API_KEY_ADDED = "apiKeyAdded",
    API_KEY_REMOVED = "apiKeyRemoved",
    INTEGRATION_ADDED = "integrationAdded",
    INTEGRATION_CHANGED = "integrationChanged",
    INTEGRATION_REMOVED = "integrationRemoved",
    API_KEY_CONNECTED = "apiKeyConnected",
    INTEGRATION_LINK_ADDED = "integrationLinkAdded",
    INTEGRATION_LINK_REMOVED = "integrationLinkRemoved",
    ORGANIZATION_ADDED = "organizationAdded",
    ORGANIZATION_REMOVED = "organizationRemoved",
    ORGANIZATION_CHANGED = "organizationChanged",
    ORGANIZATION_SUBSCRIPTION_TYPE_CHANGED = "organizationSubscriptionTypeChanged",
    ORGANIZATION_ADMIN_CHANGED = "organizationAdminChanged",
    ORGANIZATION_ADMIN_LEFT = "organizationAdminLeft",
    TWO_FACTOR_DISABLED_FOR_MEMBER = "twoFactorDisabledForMember",
    TAG_ADDED = "tagAdded",
    TAG_CHANGED = "tagChanged",
    TAG_REMOVED = "tagRemoved",
    SETTING_TAG_ADDED = "settingTagAdded",
    SETTING_TAG_REMOVED = "settingTagRemoved",
    PUBLIC_API_ACCESS_TOKEN_ADDED = "publicApiAccessTokenAdded",
    PUBLIC_API_ACCESS_TOKEN_REMOVED = "publicApiAccessTokenRemoved",
    DOMAIN_ADDED = "domainAdded",
    DOMAIN_VERIFIED = "domainVerified",
    DOMAIN_REMOVED = "domainRemoved",
    DOMAIN_SAML_CONFIGURED = "domainSamlConfigured",
    DOMAIN_SAML_DELETED = "domainSamlDeleted",
    AUTO_PROVISIONING_CONFIGURATION_CHANGED = "autoProvisioningConfigurationChanged",
    SAML_IDP_CONFIGURATION_ADDED = "samlIdpConfigurationAdded",
    SAML_IDP_CONFIGURATION_REMOVED = "samlIdpConfigurationRemoved",
    SAML_IDP_CONFIGURATION_UPDATED = "samlIdpConfigurationUpdated",
    AUTO_PROVISIONING_ENABLED_CHANGED = "autoProvisioningEnabledChanged",
    ORGANIZATION_MEMBER_JOINED = "organizationMemberJoined",
    ORGANIZATION_MEMBER_PRODUCT_JOIN_REQUESTED = "organizationMemberProductJoinRequested",
    ORGANIZATION_MEMBER_PRODUCT_JOIN_REQUEST_REJECTED = "organizationMemberProductJoinRequestRejected",
    ORGANIZATION_MEMBER_PRODUCT_JOIN_REQUEST_APPROVED = "organizationMemberProductJoinRequestApproved",
    ORGANIZATION_MEMBER_REMOVED = "organizationMemberRemoved",
    CODE_REFERENCES_UPLOADED = "codeReferencesUploaded",
    CODE_REFERENCE_DELETED = "codeReferenceDeleted",
    CODE_REFERENCE_STALE_BRANCH_DELETED = "codeReferenceStaleBranchDeleted",
    SEGMENT_CREATED = "segmentCreated",
    SEGMENT_CHANGED = "segmentChanged",
    SEGMENT_DELETED = "segmentDeleted",
    WEBHOOK_SIGNING_KEY_DELETED = "webhookSigningKeyDeleted",
    WEBHOOK_SIGNING_KEY_CREATED = "webhookSigningKeyCreated",
    USER_PROVISIONING_CONFIGURATION_CHANGED = "userProvisioningConfigurationChanged",
    SYNC_GROUP_PROVISIONING_RULE_CHANGED = "syncGroupProvisioningRuleChanged",
    SYNC_GROUPS_REORDERED = "syncGroupsReordered",
    SYNC_USER_PROVISIONING_ENABLED = "syncUserProvisioningEnabled",
    SYNC_USER_PROVISIONING_DISABLED = "syncUserProvisioningDisabled",
    USER_EMAIL_CHANGED = "userEmailChanged",
    USER_FULL_NAME_CHANGED = "userFullNameChanged",
    USER_DISABLED = "userDisabled",
}

#[cfg(feature = "openapi")]
mod openapi {
    use utoipa::openapi::extensions::Extensions;
    use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
    use utoipa::{PartialSchema, ToSchema, openapi::RefOr};

    use super::AuditLogType;

    impl PartialSchema for AuditLogType {
        fn schema() -> RefOr<Schema> {
            let known: Vec<_> = Self::KNOWN.iter().map(Self::as_str).collect();
            let schema = ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("The type of an item. More may be added."))
                .extensions(Some(Extensions::builder().add("x-known-values", known).build()));
            RefOr::T(Schema::from(schema))
        }
    }

    impl ToSchema for AuditLogType {}
}
