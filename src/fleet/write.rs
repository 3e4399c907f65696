//! From the model to YAML: for files that ostler writes itself.

use super::keys;
use super::model::{Fleet, Site};
use super::name::Name;
use super::row;
use super::yaml::{self, Value};

/// The whole fleet as a file. What equals a built-in default is left out; reading it again gives
/// the same fleet.
pub fn to_yaml(fleet: &Fleet) -> String {
    let top = row::write(keys::FILE_ROWS, fleet);
    let top = top
        .iter()
        .map(|(key, value)| format!("{}\n", block(key, value)));
    let mut text: String = top.collect();
    let mut section = |key: &str, entries: Vec<(String, Value)>| {
        if !entries.is_empty() {
            text.push_str(&block(key, &Value::Mapping(entries)));
            text.push('\n');
        }
    };
    let named = |name: &Name, fields| (name.to_string(), Value::Mapping(fields));
    let hosts = fleet.hosts.values();
    let hosts = hosts.map(|host| named(&host.name, row::write(keys::HOST_ROWS, host)));
    section("hosts", hosts.collect());
    let accounts = fleet.accounts.values();
    let accounts = accounts.map(|it| named(&it.name, row::write(keys::ACCOUNT_ROWS, it)));
    section("accounts", accounts.collect());
    let sites = fleet.sites.values();
    let sites = sites.map(|site| named(&site.name, site_fields(site)));
    section("sites", sites.collect());
    text
}

/// `key: value` at the left margin, in the usual manner: blocks, two spaces.
fn block(key: &str, value: &Value) -> String {
    yaml::block(key, value, 0, 2, "\n")
}

/// A site's entry as it would stand below `sites:`, two spaces in.
pub fn site_block(site: &Site) -> String {
    let text = block(site.name.as_str(), &Value::Mapping(site_fields(site)));
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// The keys of a site as it would be written, in the usual order: for a new entry.
pub fn site_fields(site: &Site) -> Vec<(String, Value)> {
    let mut fields = row::write(keys::SITE_ROWS, site);
    let known = |key: &str| {
        keys::SITE
            .key(key)
            .is_some_and(|key| key.belongs_to(site.recipe.word()))
    };
    fields.retain(|(key, _)| known(key));
    fields
}
