//! Mutations, and the cases that must notice them.

mod api_keys;
mod fields;
mod organizations;
mod rare;
mod reads;
mod removals;
mod tokens;
mod trees;
mod writes;

use audit_core::Facet;

use super::mutations::Mutation;

/// Every mutation with the cases that must notice it.
pub(crate) fn expectations() -> Vec<(Mutation, &'static [&'static str])> {
    let each_facet = Facet::ALL.map(|facet| (Mutation::IgnoresFacet(facet), OF_FACETS));
    let each_field = fields::OF_EVENTS.iter().map(|alter| (Mutation::Alters(*alter), OF_FIELDS));
    let each_erased_field =
        fields::OF_RECORDS.iter().map(|alter| (Mutation::AltersErased(*alter), OF_RECORDS));
    let each_key_field = fields::OF_KEYS
        .iter()
        .map(|alter| (Mutation::AltersKeys(*alter), &["api_keys::come_back_as_created"][..]));
    let lists = [
        reads::MUTATIONS,
        writes::MUTATIONS,
        organizations::MUTATIONS,
        tokens::MUTATIONS,
        api_keys::MUTATIONS,
        trees::MUTATIONS,
        removals::MUTATIONS,
        rare::MUTATIONS,
    ];
    let mutations = lists.into_iter().flatten().copied();
    mutations
        .chain(each_facet)
        .chain(each_field)
        .chain(each_erased_field)
        .chain(each_key_field)
        .collect()
}

const OF_FACETS: &[&str] = &["filters::by_each_facet", "any_event::comes_back_and_is_found"];
const OF_FIELDS: &[&str] =
    &["contents::come_back_equal_in_every_field", "any_event::comes_back_and_is_found"];
const OF_RECORDS: &[&str] =
    &["any_erasure::removes_personal_data_only", "erasures::remove_personal_data_from_every_read"];
const STATE_MACHINE: &str = "state_machine::agrees_with_the_model";
